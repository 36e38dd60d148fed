/** Pairwise subjects (OpenID Connect Core §8.1): one name per person and sector, the same in everything that names them. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { decodeJwt } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { updateClient } from '../../src/clients/update-client.ts'
import { createKeyring } from '../../src/crypto.ts'
import { loadLastingSecret } from '../../src/oidc/lasting-secrets.ts'
import { pairwiseSubject } from '../../src/oidc/subjects.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'
import { makeAuthority, makeCertificate } from '../support/certificates.ts'
import { createDatabase } from '../support/database.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { type App, createApp, playApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const by = { actor: { kind: 'operator' } } as const
const person = await createPerson(server)
const visitor = createBrowser(server)

const pairwise = (host: string, more = {}) =>
  createApp(server, { subjectType: 'pairwise', redirectUris: [`https://${host}/cb`], ...more })

async function subjectAt(app: App, who = person, browser = visitor): Promise<string> {
  const { answer } = await authorize(browser, app, who)
  return String(decodeJwt(answer.body.id_token ?? '').sub)
}

test('JW-08: each sector has its own name for a person, and it does not tell who they are', async () => {
  const [one, same, two] = [
    await subjectAt(await pairwise('one.example')),
    await subjectAt(await pairwise('one.example')),
    await subjectAt(await pairwise('two.example')),
  ]
  expect(one).toBe(same)
  expect(new Set([one, two, person.id]).size).toBe(3)
  expect(one).toMatch(/^[\w-]{43}$/)
  const somebody = await createPerson(server)
  expect(await subjectAt(await pairwise('one.example'), somebody, createBrowser(server))).not.toBe(
    one,
  )
  expect(await subjectAt(await createApp(server))).toBe(person.id)
})

test('one and the same name stands in everything the app gets', async () => {
  const app = await pairwise('whole.example')
  const { answer } = await authorize(visitor, app, person)
  const { sub } = decodeJwt(answer.body.id_token ?? '')
  expect((await app.userinfo(answer.body.access_token)).body.sub).toBe(sub)
  expect((await app.introspect(answer.body.access_token)).body.sub).toBe(sub)
  expect((await app.introspect(answer.body.refresh_token)).body.sub).toBe(sub)
  const next = await app.refresh(answer.body.refresh_token)
  expect(decodeJwt(next.body.id_token ?? '').sub).toBe(sub)
  expect(JSON.stringify(next.body) + JSON.stringify(answer.body)).not.toContain(person.id)
})

test('a token for an API carries it, and introspection of it is told the same', async () => {
  const identifier = 'https://pairwise.example.com'
  await createApi(db, { identifier, scopes: ['read'] }, by)
  const app = await pairwise('api-user.example', { scope: 'openid read' })
  const service = await createApp(server, { preset: 'service', apis: [identifier] })
  const parameters = { resource: identifier, scope: 'openid read' }
  const { request, code } = await obtainCode(visitor, app, person, parameters)
  const { body } = await app.redeem(request, code, { resource: identifier })
  const { sub } = decodeJwt(body.id_token ?? '')
  expect(decodeJwt(body.access_token ?? '').sub).toBe(sub)
  for (const asking of [app, service]) {
    expect((await asking.introspect(body.access_token)).body).toMatchObject({ active: true, sub })
  }
})

test('the name is good as a hint and in claims, a stranger’s is not', async () => {
  const app = await pairwise('hint.example')
  const { answer } = await authorize(visitor, app, person)
  const hint = { id_token_hint: answer.body.id_token, prompt: 'none' }
  expect((await visitor.get(app.begin(hint).url)).url).toContain('code=')
  const somebody = createBrowser(server)
  await authorize(somebody, app, await createPerson(server))
  expect((await somebody.get(app.begin(hint).url)).url).toContain('error=login_required')
  const sub = String(decodeJwt(answer.body.id_token ?? '').sub)
  const wanting = (value: string) =>
    app.begin({ prompt: 'none', claims: JSON.stringify({ id_token: { sub: { value } } }) })
  expect((await visitor.get(wanting(sub).url)).url).toContain('code=')
  expect((await visitor.get(wanting(person.id).url)).url).toContain('error=')
})

test('names stay when SECRET_KEY changes, also after the old one is gone', async () => {
  const { db: fresh } = await createDatabase()
  const [old, young] = ['o', 'y'].map((letter) => `${letter.repeat(20)}0123456789abcdef`) as [
    string,
    string,
  ]
  const load = (...keys: string[]) =>
    loadLastingSecret(fresh, createKeyring(keys), 'pairwise-subjects')
  const first = await load(old)
  expect(await load(young, old)).toEqual(first)
  expect(await load(young)).toEqual(first)
  await expect(load(old)).rejects.toThrow()
})

test('processes that start at once on an empty database have one secret (RC-17)', async () => {
  const { db: fresh } = await createDatabase()
  const keyring = createKeyring(['a secret that is long enough for this'])
  const all = await Promise.all(
    Array.from({ length: 10 }, () => loadLastingSecret(fresh, keyring, 'pairwise-subjects')),
  )
  expect(new Set(all.map((secret) => secret.toString('hex'))).size).toBe(1)
})

test('a sector and an account cannot be shifted into each other', () => {
  const secret = Buffer.alloc(32)
  expect(pairwiseSubject(secret, 'a', 'b,c')).not.toBe(pairwiseSubject(secret, 'a,b', 'c'))
  expect(pairwiseSubject(secret, 'ab', 'c')).not.toBe(pairwiseSubject(secret, 'a', 'bc'))
})

test('who changes the name of people ends the tokens that carry the old one', async () => {
  const app = await createApp(server)
  const { answer } = await authorize(visitor, app, person)
  const changed = await updateClient(db, app.id, { subjectType: 'pairwise' }, by)
  expect(changed).toMatchObject({ ok: true, narrowed: true, changed: ['subject_type'] })
  expect((await app.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

describe('a sector of several hosts (sector_identifier_uri)', async () => {
  const authority = makeAuthority()
  const site = makeCertificate({
    subject: [['CN', 'localhost']],
    issuer: authority,
    alternatives: [{ dns: 'localhost' }],
  })
  let content = '[]'
  let asked = 0
  const publisher: Server = createServer({ cert: site.cert, key: site.key }, (_, response) => {
    asked++
    response.end(content)
  })
  await new Promise<void>((resolve) => publisher.listen(0, '127.0.0.1', resolve))
  afterAll(() => void publisher.close())
  const { port } = publisher.address() as AddressInfo
  const redirectUris = ['https://a.example/cb', 'https://b.example/cb']

  const create = (allowed: string[]) =>
    createClient(
      db,
      {
        name: `Sector ${Math.random()}`,
        preset: 'generic',
        subjectType: 'pairwise',
        redirectUris,
        sectorIdentifierUri: `https://localhost:${port}/sector.json`,
      },
      { ...by, engineCheck: createClientCheck(server.origin, allowed) },
    )

  test('is not read where the guard does not allow it', async () => {
    const made = await create([])
    expect(made).toMatchObject({ ok: false, reason: 'invalid' })
    expect(JSON.stringify(made)).toContain('sector_identifier_uri')
    expect(asked).toBe(0)
  })

  test('is missing with several hosts, on this machine, and under a private scheme', async () => {
    for (const uris of [
      redirectUris,
      ['http://127.0.0.1/cb'],
      ['com.example.app:/cb'],
      ['https://a.example/cb', 'https://a.example:8443/cb'],
    ]) {
      const made = await createClient(
        db,
        { name: 'None', preset: 'native', subjectType: 'pairwise', redirectUris: uris },
        by,
      )
      const [problem] = made.ok || made.reason !== 'invalid' ? [] : made.problems
      expect(problem).toMatchObject({ field: 'sector_identifier_uri', code: 'sector_missing' })
    }
  })

  test('is read when the app is made, and must list its redirect URIs; never again at a sign-in', async () => {
    // A process of its own: only its start can be told of an authority.
    const directory = mkdtempSync(join(tmpdir(), 'idp-sector-'))
    const ca = join(directory, 'ca.pem')
    writeFileSync(ca, authority.cert)
    const create = (name: string) =>
      promisify(execFile)(
        process.execPath,
        [
          ...['src/cli.ts', 'clients', 'create', name, '--preset', 'generic', '--json'],
          ...['--subject', 'pairwise', '--redirect-uri', redirectUris[0] ?? ''],
          ...['--redirect-uri', redirectUris[1] ?? ''],
          ...['--sector-identifier-uri', `https://localhost:${port}/sector.json`],
        ],
        {
          env: {
            PATH: process.env.PATH ?? '',
            NODE_EXTRA_CA_CERTS: ca,
            DATABASE_URL: server.database.url,
            ISSUER: server.origin,
            ALLOW_PRIVATE_TARGETS: `localhost:${port}`,
          },
        },
      )
    content = JSON.stringify(redirectUris.slice(1))
    await expect(create('Partly')).rejects.toMatchObject({
      code: 5,
      stderr: expect.stringContaining('sector_identifier_uri'),
    })
    content = JSON.stringify(redirectUris)
    const apps: App[] = []
    for (const name of ['One', 'Two']) {
      const { client } = JSON.parse((await create(name)).stdout) as {
        client: Record<string, string>
      }
      expect(client.subject_type).toBe('pairwise')
      apps.push(
        playApp({
          origin: server.origin,
          id: client.client_id ?? '',
          secret: client.client_secret,
          method: 'client_secret_basic',
          redirectUri: redirectUris[0] ?? '',
        }),
      )
    }
    rmSync(directory, { recursive: true })
    const before = asked
    const [one, two] = apps as [App, App]
    expect(await subjectAt(one)).toBe(await subjectAt(two))
    expect(asked).toBe(before)
  })
})
