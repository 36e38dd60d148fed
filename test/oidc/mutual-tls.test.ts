/**
 * Clients with certificates (RFC 8705): who they are, and tokens that are good with the certificate alone. The certificate comes
 * in a trusted proxy's header, or in the TLS connection where TLS ends here.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import type { ClientInput } from '../../src/clients/create-client.ts'
import { createIdp } from '../cli/support.ts'
import { daysAhead, type Made, makeAuthority, makeCertificate } from '../support/certificates.ts'
import { createKey, createProver } from '../support/client-keys.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type Answer, createApp, playApp } from '../support/relying-party.ts'
import { secureFetch } from '../support/secure-fetch.ts'
import { freePort, startTestServer, type TestServer } from '../support/server.ts'

const authority = makeAuthority()
const own = makeCertificate({
  subject: [
    ['O', 'Example'],
    ['CN', 'app'],
  ],
  issuer: authority,
  alternatives: [{ dns: 'app.example.com' }],
})
const other = makeCertificate({ subject: [['CN', 'other']], issuer: authority })
const selfSigned = makeCertificate({ subject: [['CN', 'self']] })
const thumbprint = async ({ certificate }: Made) =>
  (await import('node:crypto')).hash('sha256', certificate.raw, 'base64url')

/** Proven by the name in its certificate. */
const byName: Partial<ClientInput> = {
  authMethod: 'tls_client_auth',
  tlsSubjectDn: 'CN=app,O=Example',
  certificateAuthorities: authority.cert,
}

async function keysOf(made: Made): Promise<NonNullable<ClientInput['jwks']>> {
  const jwk = made.certificate.publicKey.export({ format: 'jwk' })
  return { keys: [{ ...jwk, x5c: [made.certificate.raw.toString('base64')] }] }
}

const header = 'x-client-cert'
const asPem = ({ cert }: Made) => encodeURIComponent(cert)

/** What a trusted proxy does: it writes the header, or takes it away. */
function through(made?: Made, write: (made: Made) => string = asPem): typeof fetch {
  return (url, init) =>
    fetch(url, {
      ...init,
      headers: {
        ...(init?.headers as Record<string, string>),
        ...(made ? { [header]: write(made) } : {}),
      },
    })
}

const env = { CLIENT_CERT_HEADER: 'X-Client-Cert', MTLS_ORIGIN: 'https://mtls.example.com' }
const server = await startTestServer({ env: { ...env, TRUSTED_PROXIES: '127.0.0.0/8,::1' } })
const { origin } = server
const person = await createPerson(server)
const visitor = createBrowser(server)

const refused = ({ status, body }: Answer) => {
  expect([status, body.error]).toEqual([401, 'invalid_client'])
}

describe('who a client is', async () => {
  const app = await createApp(server, byName, { send: through(own) })
  const as = (send: typeof fetch, id = app.id) =>
    playApp({ origin, id, secret: undefined, method: 'tls_client_auth', redirectUri: '', send })

  test('the name in a certificate of its authority signs it in', async () => {
    const { answer } = await authorize(visitor, app, person)
    expect(answer.status).toBe(200)
    expect((await app.refresh(answer.body.refresh_token)).status).toBe(200)
    expect((await app.introspect(answer.body.access_token)).body.active).toBe(true)
  })

  test.each([
    ['percent-encoded PEM', asPem],
    ['PEM with spaces for line breaks', ({ cert }: Made) => cert.trim().replaceAll('\n', ' ')],
    ['base64', ({ certificate }: Made) => certificate.raw.toString('base64')],
    ['base64 of RFC 9440', ({ certificate }: Made) => `:${certificate.raw.toString('base64')}:`],
  ])('the header may hold %s', async (_, write) => {
    expect((await as(through(own, write)).introspect('x')).body).toEqual({ active: false })
  })

  test.each<[string, typeof fetch]>([
    ['none', through()],
    ['another name of the same authority', through(other)],
    ['the same name of nobody', through(makeCertificate({ subject: own.subject }))],
    [
      'the same name of an authority that calls itself the same',
      through(makeCertificate({ subject: own.subject, issuer: makeAuthority() })),
    ],
    [
      'the same name that has ended',
      through(
        makeCertificate({ subject: own.subject, issuer: authority, validTo: daysAhead(-0.1) }),
      ),
    ],
    ['no certificate', through(own, () => 'hello')],
    [
      'a certificate and more',
      through(own, ({ cert }) => encodeURIComponent(`${cert}\n${other.cert}`)),
    ],
    ['two headers', through(own, (made) => `${asPem(made)}, ${asPem(made)}`)],
    ['a private key', through(own, ({ key }) => encodeURIComponent(key))],
  ])('refused is %s', async (_, send) => {
    refused(await as(send).introspect('x'))
  })

  test('a host name, an address of the certificate, are as good', async () => {
    const { tlsSubjectDn: _, ...rest } = byName
    const named = await createApp(server, { ...rest, tlsSanDns: 'app.example.com' })
    expect((await as(through(own), named.id).introspect('x')).status).toBe(200)
    refused(await as(through(other), named.id).introspect('x'))
  })

  test('a self-signed certificate is known by itself alone', async () => {
    const self = await createApp(server, {
      authMethod: 'self_signed_tls_client_auth',
      jwks: await keysOf(selfSigned),
    })
    expect((await as(through(selfSigned), self.id).introspect('x')).status).toBe(200)
    for (const wrong of [undefined, own, makeCertificate({ subject: [['CN', 'self']] })]) {
      refused(await as(through(wrong), self.id).introspect('x'))
    }
  })

  test('a certificate does not stand in for a secret or a signature', async () => {
    for (const input of [{}, { authMethod: 'client_secret_post' }]) {
      const secret = await createApp(server, { preset: 'web', ...input })
      refused(await as(through(own), secret.id).introspect('x'))
    }
    const signing = await createApp(server, {}, { key: await createKey() })
    refused(await as(through(own), signing.id).introspect('x'))
  })
})

describe('tokens bound to a certificate', async () => {
  const app = await createApp(server, { ...byName, certificateBound: true }, { send: through(own) })
  const with_ = (send: typeof fetch) =>
    playApp({
      origin,
      id: app.id,
      secret: undefined,
      method: 'tls_client_auth',
      redirectUri: app.redirectUri,
      send,
    })

  test('they say so, and are good with it alone', async () => {
    const { answer } = await authorize(visitor, app, person)
    const { access_token: token } = answer.body
    expect(answer.body.token_type).toBe('Bearer')
    expect((await app.introspect(token)).body.cnf).toEqual({ 'x5t#S256': await thumbprint(own) })
    expect((await app.userinfo(token)).status).toBe(200)
    expect((await with_(through(other)).userinfo(token)).status).toBe(401)
    expect((await with_(through()).userinfo(token)).status).toBe(401)
  })

  test('a token for an API carries the certificate', async () => {
    const identifier = 'https://bound.example.com'
    await createApi(
      server.database.db,
      { identifier, scopes: ['read'] },
      { actor: { kind: 'operator' } },
    )
    const service = await createApp(
      server,
      { ...byName, preset: 'service', apis: [identifier], certificateBound: true },
      { send: through(own) },
    )
    const { body } = await service.post('token', {
      grant_type: 'client_credentials',
      resource: identifier,
    })
    const cnf = { 'x5t#S256': await thumbprint(own) }
    expect(decodeJwt(body.access_token ?? '').cnf).toEqual(cnf)
    expect((await service.introspect(body.access_token)).body).toMatchObject({ active: true, cnf })
  })

  test('a public app’s are bound too, its refresh token with them', async () => {
    const spa = await createApp(
      server,
      { preset: 'spa', certificateBound: true },
      { send: through(own) },
    )
    const { answer } = await authorize(visitor, spa, person)
    const { refresh_token: token } = answer.body
    const thief = playApp({
      origin,
      id: spa.id,
      secret: undefined,
      method: 'none',
      redirectUri: '',
      send: through(other),
    })
    expect((await thief.refresh(token)).body.error).toBe('invalid_grant')
    expect((await spa.refresh(token)).status).toBe(200)
  })

  test('without a certificate there is no token', async () => {
    const secret = await createApp(server, { preset: 'web', certificateBound: true })
    const { answer } = await authorize(visitor, secret, person)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
  })
})

describe('FA-05: a header from outside the trusted proxies is nothing', async () => {
  const strict = await startTestServer({ env: { ...env, TRUSTED_PROXIES: '192.0.2.1' } })
  const app = await createApp(strict, { ...byName, preset: 'service' }, { send: through(own) })

  test('neither as who somebody is nor as what a token is bound to', async () => {
    refused(await app.post('token', { grant_type: 'client_credentials' }))
    const bound = await createApp(
      strict,
      { preset: 'service', certificateBound: true },
      { send: through(own) },
    )
    const { body } = await bound.post('token', { grant_type: 'client_credentials' })
    expect(body.error).toBe('invalid_grant')
  })

  test('where no header is named, any is nothing, and nothing is advertised', async () => {
    const plain = await startTestServer({ env: { TRUSTED_PROXIES: '127.0.0.0/8,::1' } })
    const same = await createApp(plain, { ...byName, preset: 'service' }, { send: through(own) })
    refused(await same.post('token', { grant_type: 'client_credentials' }))
    const discovery = await metadataOf(plain)
    expect(discovery).not.toHaveProperty('mtls_endpoint_aliases')
    expect(discovery).not.toHaveProperty('tls_client_certificate_bound_access_tokens')
    expect(JSON.stringify(discovery)).not.toContain('tls_client_auth')
  })
})

async function metadataOf({ origin: at }: Pick<TestServer, 'origin'>, send: typeof fetch = fetch) {
  const response = await send(`${at}/.well-known/openid-configuration`)
  return (await response.json()) as Record<string, unknown>
}

test('where a proxy hands certificates on, discovery says where to come with one', async () => {
  const discovery = await metadataOf(server)
  expect(discovery.tls_client_certificate_bound_access_tokens).toBe(true)
  expect(discovery.token_endpoint_auth_methods_supported).toEqual(
    expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
  )
  expect(discovery.mtls_endpoint_aliases).toMatchObject({
    token_endpoint: 'https://mtls.example.com/oauth2/token',
    introspection_endpoint: 'https://mtls.example.com/oauth2/introspect',
    revocation_endpoint: 'https://mtls.example.com/oauth2/revoke',
    pushed_authorization_request_endpoint: 'https://mtls.example.com/oauth2/par',
    userinfo_endpoint: 'https://mtls.example.com/oauth2/userinfo',
  })
})

describe('TLS that ends here', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'idp-tls-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const port = await freePort()
  const site = makeCertificate({
    subject: [['CN', 'localhost']],
    issuer: authority,
    alternatives: [{ dns: 'localhost' }, { ip: '127.0.0.1' }],
  })
  writeFileSync(join(directory, 'cert.pem'), site.cert)
  writeFileSync(join(directory, 'key.pem'), site.key, { mode: 0o600 })
  const tls = await startTestServer({
    env: {
      PORT: String(port),
      ISSUER: `https://localhost:${port}`,
      MTLS_ORIGIN: `https://127.0.0.1:${port}`,
      TLS_CERT_FILE: join(directory, 'cert.pem'),
      TLS_KEY_FILE: join(directory, 'key.pem'),
    },
  })
  const alias = `https://127.0.0.1:${port}`
  const plain = secureFetch({ ca: authority.cert })
  const carrying = ({ cert, key }: Made) => secureFetch({ ca: authority.cert, cert, key })

  test('the certificate of the connection is the client’s, at the alias', async () => {
    const made = await createApp(tls, { ...byName, preset: 'service', certificateBound: true })
    const as = (send: typeof fetch, at = alias) =>
      playApp({
        origin: at,
        id: made.id,
        secret: undefined,
        method: 'tls_client_auth',
        redirectUri: '',
        send,
      })
    const asked = { grant_type: 'client_credentials' }
    const { status, body } = await as(carrying(own)).post('token', asked)
    expect(status).toBe(200)
    const told = await as(carrying(own)).introspect(body.access_token)
    expect(told.body.cnf).toEqual({ 'x5t#S256': await thumbprint(own) })
    refused(await as(plain).post('token', asked))
    refused(await as(carrying(other)).post('token', asked))
    refused(await as(carrying(selfSigned)).post('token', asked))
  })

  test('the example of deploy/protocol.md, typed as it stands there, gives a token bound to the certificate', async () => {
    const text = readFileSync(new URL('../../deploy/protocol.md', import.meta.url), 'utf8')
    const [, command = ''] = /^npx idp (clients create Meter .*)$/m.exec(text) ?? []
    const [, path = '', form = ''] =
      /^curl --cert \S+ --key \S+ https:\/\/mtls\.id\.example\.org(\S+) (-d .*)$/m.exec(text) ?? []
    writeFileSync(join(directory, 'ca.pem'), authority.cert)
    const words = command
      .split(' ')
      .map((word) => (word === 'ca.pem' ? join(directory, word) : word))
    const idp = createIdp(tls.database.url, { ISSUER: tls.origin })
    const { code, stdout } = await idp([...words, '--json'])
    expect(code).toBe(0)
    const { client } = JSON.parse(stdout) as { client: { client_id: string } }
    const meter = makeCertificate({
      subject: [
        ['O', 'Example'],
        ['CN', 'meter'],
      ],
      issuer: authority,
    })
    const body = new URLSearchParams(
      form.split('-d ').flatMap((pair): [string, string][] => {
        const [name = '', value = ''] = pair.trim().split('=')
        return name === '' ? [] : [[name, value === '…' ? client.client_id : value]]
      }),
    )
    const ask = (send: typeof fetch) => send(`${alias}${path}`, { method: 'POST', body })
    const answer = await ask(carrying(meter))
    const { access_token: token, token_type: type } = (await answer.json()) as Record<
      string,
      string
    >
    expect([answer.status, type, typeof token]).toEqual([200, 'Bearer', 'string'])
    for (const send of [plain, carrying(own), carrying(selfSigned)]) {
      expect((await ask(send)).status).toBe(401)
    }
  })

  test('a self-signed certificate is good where it is registered', async () => {
    const made = await createApp(tls, {
      preset: 'service',
      authMethod: 'self_signed_tls_client_auth',
      jwks: await keysOf(selfSigned),
    })
    const as = (send: typeof fetch) =>
      playApp({
        origin: alias,
        id: made.id,
        secret: undefined,
        method: 'none',
        redirectUri: '',
        send,
      })
    const asked = { grant_type: 'client_credentials' }
    expect((await as(carrying(selfSigned)).post('token', asked)).status).toBe(200)
    refused(await as(carrying(own)).post('token', asked))
  })

  test('the alias answers what clients with certificates need, and no page', async () => {
    const paths = [
      '/',
      '/sign-in',
      '/oauth2/authorize',
      '/oauth2/jwks',
      '/.well-known/openid-configuration',
    ]
    for (const path of paths) {
      expect((await carrying(own)(`${alias}${path}`)).status, path).toBe(421)
    }
    expect((await carrying(own)(`${alias}/oauth2/userinfo`)).status).toBe(401)
    expect((await plain(`${tls.origin}/.well-known/openid-configuration`)).status).toBe(200)
    const foreign = secureFetch({ ca: authority.cert, headers: { host: 'evil.example' } })
    expect((await foreign(`${alias}/oauth2/token`, { method: 'POST' })).status).toBe(421)
  })

  test('a proof of possession names the address it is sent to', async () => {
    const prover = await createProver()
    const made = await createApp(tls, { preset: 'service', dpopBound: true })
    const at = (origin_: string) =>
      playApp({
        origin: origin_,
        id: made.id,
        secret: made.secret,
        method: 'client_secret_basic',
        redirectUri: '',
        send: plain,
        prover,
      })
    const asked = { grant_type: 'client_credentials' }
    expect((await at(alias).post('token', asked)).status).toBe(200)
    expect((await at(tls.origin).post('token', asked)).status).toBe(200)
    const dpop = await prover.prove({ method: 'POST', url: `${tls.origin}/oauth2/token` })
    expect((await at(alias).post('token', asked, { dpop })).body.error).toBe('invalid_dpop_proof')
  })

  test('discovery names the alias, and every endpoint stays where it was', async () => {
    const discovery = await metadataOf(tls, plain)
    expect(discovery.token_endpoint).toBe(`${tls.origin}/oauth2/token`)
    expect(discovery.mtls_endpoint_aliases).toMatchObject({
      token_endpoint: `${alias}/oauth2/token`,
    })
  })

  test('a certificate in a header is nothing here', async () => {
    const made = await createApp(tls, { ...byName, preset: 'service' })
    const send = secureFetch({ ca: authority.cert, headers: { [header]: asPem(own) } })
    const as = playApp({
      origin: alias,
      id: made.id,
      secret: undefined,
      method: 'none',
      redirectUri: '',
      send,
    })
    refused(await as.post('token', { grant_type: 'client_credentials' }))
  })

  test('old TLS is refused', async () => {
    const { connect } = await import('node:tls')
    const tried = new Promise((resolve) => {
      const socket = connect(
        { port, host: 'localhost', ca: authority.cert, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' },
        () => resolve('connected'),
      )
      socket.on('error', () => resolve('refused'))
    })
    expect(await tried).toBe('refused')
  })
})
