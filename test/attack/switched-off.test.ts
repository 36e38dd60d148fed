/**
 * Whoever is switched off gets nothing out of what was under way, by none of the flows, and switched on again it does not
 * come back: neither for the person, nor through the app.
 */
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { disableAccount, enableAccount } from '../../src/accounts/accounts.ts'
import { createApi } from '../../src/clients/apis.ts'
import { disableClient, enableClient } from '../../src/clients/client-life.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { ask, decide, pollFor } from '../support/asking-app.ts'
import { createKey, now } from '../support/client-keys.ts'
import { askForCode, connect, poll } from '../support/device.ts'
import { authorize, createBrowser, createPerson, type Person } from '../support/person.ts'
import { type Answer, type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const actor = { kind: 'operator' } as const
const api = 'https://api.example.com'
const grant = 'urn:ietf:params:oauth:grant-type:'
const partner = 'https://partner.example.com'
const verifier = randomToken()
const key = await createKey()
let apps: Record<'device' | 'asking' | 'native' | 'service' | 'web', App>

beforeAll(async () => {
  await createApi(db, { identifier: api, scopes: ['read'] }, { actor })
  apps = {
    device: await createApp(server, { preset: 'device' }),
    asking: await createApp(server, { preset: 'ciba' }),
    native: await createApp(server, { firstParty: true, authorizationChallenge: true }),
    service: await createApp(server, { preset: 'service', apis: [api] }),
    web: await createApp(server, { apis: [api] }),
  }
  const client = await getClient(db, apps.service.id)
  const source = await getClient(db, apps.web.id)
  const audience = api
  await allowExchange(db, { client, source, audience, mode: 'delegation' }, { actor })
  await createIssuer(
    db,
    {
      issuer: partner,
      jwks: { keys: [key.publicJwk] },
      algorithms: ['ES256'],
      subject: 'account',
      scopes: ['read'],
      maxLifetimeSeconds: 300,
      clients: [client],
    },
    { actor },
  )
  await noticed()
})

const noticed = () => new Promise((resolve) => setTimeout(resolve, 1500))

/** What each app holds when the switch is thrown: something to redeem, or a token. */
async function begin(person: Person) {
  const { device, asking, native, service, web } = apps
  const visitor = createBrowser(server)
  const shown = await askForCode(device)
  await connect(visitor, shown, person)
  const question = await ask(asking, { login_hint: person.username })
  await decide(visitor, origin, 'continue')
  const challenge = await native.post('authorize-challenge', {
    response_type: 'code',
    scope: 'openid',
    code_challenge: sha256(verifier).toString('base64url'),
    code_challenge_method: 'S256',
    username: person.username,
    password: person.password,
  })
  const { answer } = await authorize(visitor, web, person)
  const exchanged = await service.post('token', {
    grant_type: `${grant}token-exchange`,
    subject_token: answer.body.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    resource: api,
  })
  const bring = async () =>
    service.post('token', {
      grant_type: `${grant}jwt-bearer`,
      resource: api,
      assertion: await key.sign({
        iss: partner,
        sub: person.id,
        aud: origin,
        jti: randomToken(),
        iat: now(),
        exp: now() + 60,
      }),
    })
  const vouched = await bring()
  for (const { body } of [exchanged, vouched]) {
    expect(decodeJwt(String(body.access_token)).sub).toBe(person.id)
  }
  return {
    redeem: {
      'a device that was connected': () => poll(device, shown),
      'a question that was answered': () => pollFor(asking, question),
      'a native sign-in': () =>
        native.post('token', {
          grant_type: 'authorization_code',
          code: String(challenge.body.authorization_code),
          code_verifier: verifier,
        }),
      'a refresh token': () => web.refresh(answer.body.refresh_token),
    } satisfies Record<string, () => Promise<Answer>>,
    tokens: {
      'an exchanged token': exchanged.body.access_token,
      'a token for an assertion': vouched.body.access_token,
    },
    bring,
  }
}

type Begun = Awaited<ReturnType<typeof begin>>

async function expectDead({ redeem, tokens }: Begun, errors: string[]): Promise<void> {
  for (const [what, act] of Object.entries(redeem)) {
    const { status, body } = await act()
    expect([what, status < 500, errors.includes(String(body.error)), body.access_token]).toEqual([
      what,
      true,
      true,
      undefined,
    ])
  }
  for (const [what, token] of Object.entries(tokens)) {
    const { body } = await apps.service.introspect(token)
    expect([what, body.active === true]).toEqual([what, false])
  }
}

describe('OI-11: an account', () => {
  test('that is switched off, and on again', async () => {
    const person = await createPerson(server)
    const begun = await begin(person)
    expect(await disableAccount(db, person.id, 'left', actor)).toBe(true)
    await expectDead(begun, ['invalid_grant'])
    expect((await begun.bring()).body.error).toBe('invalid_grant')
    const question = await ask(apps.asking, { login_hint: person.username })
    expect(question.answer.body.error).toBe('unknown_user_id')
    await enableAccount(db, person.id, actor)
    await expectDead(begun, ['invalid_grant'])
    expect((await begun.bring()).status).toBe(200)
  })
})

describe('OA-09: an app', () => {
  test('that is switched off, and on again', async () => {
    const begun = await begin(await createPerson(server))
    for (const { id } of Object.values(apps)) await disableClient(db, id, { actor })
    await noticed()
    for (const act of Object.values(begun.redeem)) {
      expect((await act()).body.error).toBe('invalid_client')
    }
    expect((await begun.bring()).body.error).toBe('invalid_client')
    for (const { id } of Object.values(apps)) await enableClient(db, id, { actor })
    await noticed()
    await expectDead(begun, ['invalid_grant'])
  })
})
