/**
 * How many statements PostgreSQL receives for each flow, counted by itself (pg_stat_statements), BEGIN and COMMIT
 * included. Left out are only those that stand apart in every flow: limits, audit, the password check, and what
 * runs in the background.
 */
import { beforeAll, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { addMetadataHost } from '../../src/clients/metadata-hosts.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { ask, buttonsOf, pollFor, type Question } from '../support/asking-app.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { createKey, createProver } from '../support/client-keys.ts'
import { askForCode, connect, poll, type Shown, typeCode } from '../support/device.ts'
import { createDocumentHost, redirectPath } from '../support/document-host.ts'
import { codeOf, createHolder } from '../support/factors.ts'
import { beginWithoutPassword, makePasskey, optionsOf } from '../support/passkeys.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  type Person,
  password,
  signInAt,
  walk,
} from '../support/person.ts'
import { call, makeToken, type Registered, register } from '../support/registration.ts'
import { type App, createApp, playApp, push, type Request } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const agents = await createDocumentHost()
const server = await startTestServer({
  crontab: '',
  env: { ALLOW_PRIVATE_TARGETS: agents.host },
})
const { db, pool } = server.database
const api = 'https://api.example.com'
const times = 10
const partner = 'https://partner.example.com'
const partnerKey = await createKey()
const visitor = createBrowser(server)
let person: Person
let app: App
let house: App
let service: App
let strict: App
let steady: App
let native: App
let device: App
let till: App

beforeAll(async () => {
  await pool.query('create extension if not exists pg_stat_statements')
  await createApi(
    db,
    { identifier: api, scopes: ['read'], authorizationType: { name: 'visit', schema: {} } },
    { actor: { kind: 'operator' } },
  )
  person = await createPerson(server)
  app = await createApp(server, { apis: [api] })
  house = await createApp(server, { firstParty: true })
  service = await createApp(server, { preset: 'service', apis: [api] })
  const [key, prover] = [await createKey(), await createProver()]
  strict = await createApp(server, { profile: 'fapi2', preset: 'web' }, { key, prover })
  device = await createApp(server, { preset: 'device' })
  till = await createApp(server, { preset: 'ciba' })
  steady = await createApp(server, { refreshRotation: false, introspectionAlg: 'ES256' })
  await allowExchange(
    db,
    { client: await getClient(db, service.id), audience: api, mode: 'delegation' },
    { actor: { kind: 'operator' } },
  )
  await createIssuer(
    db,
    {
      issuer: partner,
      jwks: { keys: [partnerKey.publicJwk] },
      algorithms: ['ES256'],
      subject: 'account',
      scopes: ['read'],
      maxLifetimeSeconds: 300,
      clients: [await getClient(db, service.id)],
    },
    { actor: { kind: 'operator' } },
  )
  native = await createApp(server, {
    preset: 'native',
    firstParty: true,
    authorizationChallenge: true,
  })
  // The server hears of these changes within a second and forgets what it knew; the count begins after that.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await authorize(visitor, app, person)
  await authorize(visitor, house, person)
  await authorize(visitor, steady, person)
  await connect(visitor, await askForCode(device), person)
  await walk(visitor, await push(strict, strict.begin()), person)
})

const apart = [
  /\brate_limits\b/,
  /insert into "audit_events"/,
  // The account that was typed, with its hash.
  /select \* from "accounts" where "status" != /,
  // Background: changes of other processes, jobs, and this test.
  /from versions/,
  /from authorization_types t join apis a/,
  /graphile_worker/,
  /pg_stat_statements/,
  /count\(\*\)::int as count from sessions/,
]

type Statement = { query: string; calls: number }

async function received(more: RegExp[] = []): Promise<Statement[]> {
  const { rows } = await pool.query<Statement>(
    `select query, calls::int as calls from pg_stat_statements
     where dbid = (select oid from pg_database where datname = current_database())`,
  )
  const all = [...apart, ...more]
  return rows.filter(({ query }) => !all.some((pattern) => pattern.test(query)))
}

/** Statements for one run of `act`: run once to warm up, then ten times counted. */
async function countFor(
  act: () => Promise<unknown>,
  more: RegExp[] = [],
): Promise<{ each: number; texts: string }> {
  await act()
  await pool.query('select pg_stat_statements_reset()')
  for (let n = 0; n < times; n++) await act()
  const statements = await received(more)
  const total = statements.reduce((sum, { calls }) => sum + calls, 0)
  const texts = statements.map(({ query, calls }) => `${calls} × ${query}`).join('\n\n')
  return { each: total / times, texts }
}

async function expectBudget(
  most: number,
  act: () => Promise<unknown>,
  more: RegExp[] = [],
): Promise<void> {
  const { each, texts } = await countFor(act, more)
  expect(each, `for ${times} runs:\n${texts}`).toBe(most)
}

test('opening an app in a session that is there: 2', () =>
  expectBudget(2, async () => {
    const request = app.begin()
    expect((await visitor.get(request.url)).url).toContain('code=')
  }))

test('opening our own app in a session that is there: 2', () =>
  expectBudget(2, async () => {
    const request = house.begin()
    expect((await visitor.get(request.url)).url).toContain('code=')
  }))

test('a code to tokens: 2', async () => {
  const codes: { request: Request; code: string | undefined }[] = []
  for (let n = 0; n <= times; n++) {
    const request = app.begin()
    const { code } = app.answerOf(request, await visitor.get(request.url))
    codes.push({ request, code })
  }
  await expectBudget(2, async () => {
    const { request, code } = codes.pop() as (typeof codes)[0]
    expect((await app.redeem(request, code)).status).toBe(200)
  })
})

test('a refresh: 2', async () => {
  const { answer } = await authorize(visitor, app, person)
  let token = answer.body.refresh_token
  await expectBudget(2, async () => {
    const next = await app.refresh(token)
    expect(next.status).toBe(200)
    token = next.body.refresh_token
  })
})

test('userinfo: 1', async () => {
  const { answer } = await authorize(visitor, app, person)
  await expectBudget(1, async () => {
    expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  })
})

test('userinfo for a token that ends with its session: 1', async () => {
  const { answer } = await authorize(visitor, app, person, { scope: 'openid email' })
  await expectBudget(1, async () => {
    expect((await app.userinfo(answer.body.access_token)).status).toBe(200)
  })
})

test('introspection of an access token, a refresh token, a service\u2019s token, an unknown one: 1', async () => {
  const { answer } = await authorize(visitor, app, person)
  const own = await service.post('token', { grant_type: 'client_credentials' })
  for (const [by, token, active] of [
    [app, answer.body.access_token, true],
    [app, answer.body.refresh_token, true],
    [service, own.body.access_token, true],
    [app, 'unknown', false],
  ] as const) {
    await expectBudget(1, async () => {
      expect((await by.introspect(token)).body.active).toBe(active)
    })
  }
})

test('introspection of a JWT: 1', async () => {
  const { answer } = await authorize(visitor, app, person, {
    resource: api,
    scope: 'openid offline_access read',
  })
  const { body } = await app.refresh(answer.body.refresh_token, { resource: api })
  await expectBudget(1, async () => {
    expect((await service.introspect(body.access_token)).body.active).toBe(true)
  })
})

test('client credentials: 1, as a JWT 0', async () => {
  const ask = (more: Record<string, string>) => async () => {
    const answer = await service.post('token', { grant_type: 'client_credentials', ...more })
    expect(answer.status).toBe(200)
  }
  await expectBudget(1, ask({}))
  await expectBudget(0, ask({ resource: api, scope: 'read' }))
})

test('revocation: 2 at most', async () => {
  const tokens: (string | undefined)[] = []
  for (let n = 0; n <= times; n++) {
    const { answer } = await authorize(createBrowser(server), app, person)
    tokens.push(answer.body.refresh_token)
  }
  await expectBudget(2, async () => {
    expect((await app.revoke(tokens.pop())).status).toBe(200)
  })
})

test('a person\u2019s first sign-in by password, with consent, from authorize to tokens: 14 at most', async () => {
  const people: Person[] = []
  for (let n = 0; n <= times; n++) people.push(await createPerson(server))
  const { each, texts } = await countFor(async () => {
    const somebody = people.pop() as Person
    const browser = createBrowser(server)
    const request = app.begin()
    const consent = await browser.press(await browser.get(request.url), 'continue', {
      identifier: somebody.username,
      password,
    })
    expect(isConsent(consent)).toBe(true)
    const back = await browser.press(consent, 'continue')
    const { code } = app.answerOf(request, back)
    expect((await app.redeem(request, code)).status).toBe(200)
  })
  expect(each, texts).toBeLessThanOrEqual(14)
})

// The two above ten tell the person of a browser that was not seen before, one of them in a job.
test('the same at an app of ours, without consent, by a new browser: 12 at most', async () => {
  const { each, texts } = await countFor(async () => {
    const browser = createBrowser(server)
    const request = house.begin()
    const back = await browser.press(await browser.get(request.url), 'continue', {
      identifier: person.username,
      password,
    })
    const { code } = house.answerOf(request, back)
    expect((await house.redeem(request, code)).status).toBe(200)
  })
  expect(each, texts).toBeLessThanOrEqual(12)
})

test('signing in with a passkey at an app of ours, by a new browser: 16 at most, the look at the account aside', async () => {
  const own = createBrowser(server)
  await signInAt(own, await own.get(`${server.origin}/sign-in?to=passkeys`), person)
  const device = createAuthenticator(server.origin)
  await makePasskey(server, own, device)
  const { each, texts } = await countFor(async () => {
    const browser = createBrowser(server)
    const request = house.begin()
    const page = await browser.get(request.url)
    const answer = device.get(await optionsOf(browser, page))
    const { code = '' } = house.answerOf(
      request,
      await browser.press(page, 'with-passkey', { answer }),
    )
    expect((await house.redeem(request, code)).status).toBe(200)
    // Mails in the background look there as well.
  }, [/^select \* from "accounts" where "id" = /])
  expect(each, texts).toBeLessThanOrEqual(16)
})

// What the mails look up in the background is not part of a step.
const inMails = [/^select \* from "accounts" where "id" = /, /from "address_undos"/]

test('signing in with a password and a code at an app of ours, by a new browser: 18 at most', async () => {
  const holder = await createHolder(server)
  const { each, texts } = await countFor(async () => {
    await pool.query('update authenticators set last_step = 0')
    const browser = createBrowser(server)
    const request = house.begin()
    const page = await browser.press(await browser.get(request.url), 'continue', {
      identifier: holder.username,
      password,
    })
    const { code = '' } = house.answerOf(
      request,
      await browser.press(page, 'continue', { code: codeOf(holder.secret) }),
    )
    expect((await house.redeem(request, code)).status).toBe(200)
  }, [...inMails, /update authenticators set last_step = /])
  expect(each, texts).toBeLessThanOrEqual(18)
})

test('registering with a passkey alone, from an app of ours to its tokens: 66 at most, mail included', async () => {
  let count = 0
  const { each, texts } = await countFor(async () => {
    const username = `budget${++count}`
    const browser = createBrowser(server)
    const request = house.begin()
    const proof = await beginWithoutPassword(browser, await browser.get(request.url), username)
    const mailed = await server.mailedCode(`${username}@example.org`)
    const page = await browser.press(proof, 'continue', { code: mailed })
    const answer = createAuthenticator(server.origin).create(await optionsOf(browser, page))
    const { code = '' } = house.answerOf(request, await browser.press(page, 'add', { answer }))
    expect((await house.redeem(request, code)).status).toBe(200)
  }, inMails)
  expect(each, texts).toBeLessThanOrEqual(66)
})

test('a new password by the code of a mail, and what else opens the account: 26 at most, mail included', async () => {
  const people: Person[] = []
  for (let n = 0; n <= times; n++) people.push(await createPerson(server))
  const { each, texts } = await countFor(async () => {
    const { email } = people.pop() as Person
    const browser = createBrowser(server)
    const ask = await browser.get(`${server.origin}/reset-password`)
    const form = await browser.press(ask, 'continue', { email })
    const code = await server.mailedCode(email)
    const proven = await browser.press(form, 'continue', { code })
    const done = await browser.press(proven, 'continue', { new_password: 'a quiet harbour' })
    expect(done.body).toContain('Your password is changed')
  }, inMails)
  expect(each, texts).toBeLessThanOrEqual(26)
})

test('signing out of two apps: page 3, end 4, and 2 for the page after it', async () => {
  const browsers: Visitor[] = []
  for (let n = 0; n <= times; n++) {
    const browser = createBrowser(server)
    await authorize(browser, house, person)
    await authorize(browser, app, person, { scope: 'openid' })
    browsers.push(browser)
  }
  const pages = browsers.map((browser) => ({ browser, url: `${server.origin}/oauth2/logout` }))
  const confirms: { browser: Visitor; page: Page }[] = []
  await expectBudget(3, async () => {
    const { browser, url } = pages.pop() as (typeof pages)[0]
    confirms.push({ browser, page: await browser.get(url) })
  })
  await expectBudget(4 + 2, async () => {
    const { browser, page } = confirms.pop() as (typeof confirms)[0]
    expect((await browser.press(page, 'continue')).url).toContain('/oauth2/logout/success')
  })
})

test('a request pushed with an assertion and a proof: 3, each of which may come once', () =>
  expectBudget(3, () => push(strict, strict.begin())))

test('opening an app by a pushed request in a session that is there: 3', async () => {
  const requests = await many(() => push(strict, strict.begin()))
  await expectBudget(3, async () => {
    const page = await visitor.get((requests.pop() as Request).url)
    expect(page.url).toContain('code=')
  })
})

test('a code to tokens with an assertion and a proof: 4', async () => {
  const codes = await many(async () => {
    const request = await push(strict, strict.begin())
    const { code = '' } = strict.answerOf(request, await visitor.get(request.url))
    return { request, code }
  })
  await expectBudget(4, async () => {
    const { request, code } = codes.pop() as (typeof codes)[0]
    expect((await strict.redeem(request, code)).status).toBe(200)
  })
})

test('a request in detail: 7 with its consent, then 2 to tokens and 1 to learn of it', async () => {
  const asked = () => app.begin({ authorization_details: JSON.stringify([{ type: 'visit' }]) })
  const codes: { request: Request; code: string | undefined }[] = []
  await expectBudget(7, async () => {
    const request = asked()
    const consent = await visitor.get(request.url)
    const back = await visitor.press(consent, 'continue')
    codes.push({ request, code: app.answerOf(request, back).code })
  })
  codes.splice(0, codes.length - times - 1)
  const tokens: (string | undefined)[] = []
  await expectBudget(2, async () => {
    const { request, code } = codes.pop() as (typeof codes)[0]
    const { body } = await app.redeem(request, code)
    expect(body.authorization_details).toEqual([{ type: 'visit' }])
    tokens.push(body.access_token)
  })
  await expectBudget(1, async () => {
    expect((await service.introspect(tokens[0])).body.authorization_details).toBeDefined()
  })
})

test('the metadata of an API: 0', () =>
  expectBudget(0, async () => {
    const at = `${server.origin}/.well-known/oauth-protected-resource?resource=${encodeURIComponent(api)}`
    expect((await fetch(at)).status).toBe(200)
  }))

test('a refresh without rotation: 2', async () => {
  const { answer } = await authorize(visitor, steady, person)
  await expectBudget(2, async () => {
    expect((await steady.refresh(answer.body.refresh_token)).status).toBe(200)
  })
})

test('introspection as a JWT: 1', async () => {
  const { answer } = await authorize(visitor, steady, person)
  const accept = 'application/token-introspection+jwt'
  await expectBudget(1, async () => {
    const { status } = await steady.post(
      'introspect',
      { token: answer.body.access_token },
      { accept },
    )
    expect(status).toBe(200)
  })
})

test('a token exchanged for another: 3', async () => {
  const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
  const parameters = { resource: api, scope: 'openid read' }
  const request = app.begin(parameters)
  const page = await walk(visitor, request, person)
  const { body } = await app.redeem(request, app.answerOf(request, page).code, { resource: api })
  await expectBudget(3, async () => {
    const { status } = await service.post('token', {
      grant_type: grantType,
      subject_token: body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource: api,
    })
    expect(status).toBe(200)
  })
})

test('a device: its code 1, each question 1, its tokens 2', async () => {
  const asked = await many(() => askForCode(device))
  await expectBudget(1, () => askForCode(device))
  await expectBudget(1, async () => {
    expect((await poll(device, asked.pop() as Shown)).body.error).toBe('authorization_pending')
  })
  const approved = await many(async () => {
    const shown = await askForCode(device)
    await connect(visitor, shown, person)
    return shown
  })
  await expectBudget(2, async () => {
    expect((await poll(device, approved.pop() as Shown)).status).toBe(200)
  })
})

test('confirming a device in a session that is there: the question 2, the yes 5', async () => {
  const asked = await many(() => askForCode(device))
  const pages: Page[] = []
  await expectBudget(2, async () => {
    pages.push(await typeCode(visitor, asked.pop() as Shown))
  })
  await expectBudget(5, async () => {
    const done = await visitor.press(pages.pop() as Page, 'continue')
    expect(done.body).toContain('Your device is connected')
  })
})

test('an assertion of a trusted issuer to a token: 4', () =>
  expectBudget(4, async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: partner, sub: person.id, aud: server.origin, jti: randomToken() }
    const { status } = await service.post('token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: await partnerKey.sign({ ...claims, iat: now, exp: now + 60 }),
      resource: api,
    })
    expect(status).toBe(200)
  }))

/** What the job reads that tells the person. */
const mailing = [
  /^select \* from "accounts" where "id" = /,
  /where id_hash = \$\d and grant_id is null/,
]

test('a question by the backchannel: asking 4, each question for the tokens 1, the yes 6, the tokens 2', async () => {
  const person = await createPerson(server)
  const browser = createBrowser(server)
  await signInAt(browser, await browser.get(`${server.origin}/sign-in`), person)
  const asked: Question[] = []
  const asking = async () => {
    asked.push(await ask(till, { login_hint: person.username }))
  }
  await expectBudget(4, asking, mailing)
  const [first] = asked
  await pool.query('update backchannel_authentication_requests set interval_seconds = 1')
  await expectBudget(1, () => pollFor(till, first as Question), mailing)
  const page = await browser.get(`${server.origin}/account/requests`)
  const buttons = buttonsOf(page.body, 'continue')
  const pages: Page[] = []
  await expectBudget(
    6,
    async () => {
      pages.push(await browser.press(page, buttons.shift() ?? ''))
    },
    mailing,
  )
  await expectBudget(
    2,
    async () => {
      expect((await pollFor(till, asked.shift() as Question)).status).toBe(200)
    },
    mailing,
  )
})

test('a native sign-in: 2 for its code (what else the person could prove is one), the password check apart, and 2 for its tokens', async () => {
  const verifier = randomToken()
  const form = {
    client_id: native.id,
    response_type: 'code',
    scope: 'openid email',
    code_challenge: sha256(verifier).toString('base64url'),
    code_challenge_method: 'S256',
    username: person.username,
    password,
  }
  const codes: string[] = []
  await expectBudget(2, async () => {
    const { body } = await native.post('authorize-challenge', form)
    codes.push(String((body as { authorization_code?: string }).authorization_code))
  })
  await expectBudget(2, async () => {
    const { status } = await native.post('token', {
      client_id: native.id,
      grant_type: 'authorization_code',
      code: codes.pop() as string,
      code_verifier: verifier,
    })
    expect(status).toBe(200)
  })
})

async function many<T>(make: () => Promise<T>): Promise<T[]> {
  const made: T[] = []
  while (made.length <= times) made.push(await make())
  return made
}

test('registering oneself: 9; reading that: 1; replacing it: 11; deleting it: 9', async () => {
  const token = await makeToken(server)
  const body = { client_name: 'Agent', redirect_uris: ['https://agent.example.com/cb'] }
  const made: Registered[] = []
  await expectBudget(9, async () => {
    made.push((await register(server, token, body)).body)
  })
  expect(made.every(({ registration_access_token: own }) => own)).toBe(true)
  const [first] = made
  const act = (method: string, client: Registered | undefined, content?: unknown) =>
    call(
      method,
      String(client?.registration_client_uri),
      client?.registration_access_token,
      content,
    )
  await expectBudget(1, async () => expect((await act('GET', first)).status).toBe(200))
  let n = 0
  await expectBudget(11, async () => {
    const content = { ...body, client_id: first?.client_id, client_name: `Agent ${++n}` }
    expect((await act('PUT', first, content)).status).toBe(200)
  })
  await expectBudget(9, async () => {
    expect((await act('DELETE', made.pop())).status).toBe(204)
  })
})

test('opening an app that its own document describes, in a session that is there: 2', async () => {
  await addMetadataHost(
    db,
    { host: agents.host, scopes: ['openid'], apis: [] },
    { actor: { kind: 'operator' } },
  )
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const id = agents.publish('/agent.json', {}, { headers: { 'cache-control': 'max-age=600' } })
  const redirectUri = `https://${agents.host}${redirectPath}`
  const agent = playApp({
    origin: server.origin,
    id,
    secret: undefined,
    method: 'none',
    redirectUri,
  })
  await authorize(visitor, agent, person)
  await expectBudget(2, async () => {
    expect((await visitor.get(agent.begin().url)).url).toContain('code=')
  })
})
