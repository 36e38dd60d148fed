/**
 * AC-21, AC-22, RL-20: an upstream that lies, is impersonated, mixed up, slow or dead, over HTTP. Whatever it does, nobody
 * is signed in by it, the person learns it in words, and every other way in goes on.
 */
import { createHash, createHmac } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { isSignedIn } from '../support/account.ts'
import { createFake, type Fake } from '../support/fake-upstream.ts'
import { createBrowser, createPerson, signInAt } from '../support/person.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'
import { addProvider, noticed } from '../support/upstream.ts'

const server = await startTestServer({ env: { ALLOW_PRIVATE_TARGETS: '127.0.0.0/8' } })
const { pool } = server.database
const fake = await createFake()
const other = await createFake()
const believed = await createFake()
await addProvider(server, { id: 'bad', name: 'Bad', issuer: fake.issuer })
await addProvider(server, { id: 'other', name: 'Other', issuer: other.issuer })
await addProvider(server, { id: 'said', name: 'Said', issuer: believed.issuer, trustEmail: true })
await noticed()

beforeEach(() => {
  for (const each of [fake, other, believed]) {
    each.next = {}
    each.posted = []
  }
})

/** Away to the upstream: what it was asked, and the page that was left. */
async function leave(visitor: Visitor, id = 'bad', to: Fake = fake) {
  const page = await visitor.get(`${server.origin}/sign-in`)
  const away = await visitor.press(page, `with-${id}`)
  expect(away.url.startsWith(`${to.issuer}/authorize?`), away.url).toBe(true)
  to.asked = new URL(away.url).searchParams
  return page
}

function comeBack(visitor: Visitor, more: Record<string, string> = {}, id = 'bad', from = fake) {
  const query = new URLSearchParams({
    code: 'a-code',
    state: from.asked.get('state') ?? '',
    iss: from.issuer,
    ...more,
  })
  return visitor.get(`${server.origin}/sign-in/callback/${id}?${query}`)
}

async function expectRefused(visitor: Visitor, page: Page, words: RegExp): Promise<void> {
  expect(page.error).toMatch(words)
  expect(page.url).toMatch(/\/sign-in\/[\w-]+\?problem=/)
  // Every other way on is there.
  expect(page.body).toContain('id="password"')
  expect(await isSignedIn(server, visitor)).toBe(false)
  const { rows } = await pool.query(
    'select 1 from upstream_proofs union all select 1 from identities',
  )
  expect(rows).toEqual([])
}

test('the request asks for a code by PKCE, with state and nonce, at one address', async () => {
  const visitor = createBrowser(server)
  await leave(visitor)
  const asked = Object.fromEntries(fake.asked)
  expect(asked).toMatchObject({
    client_id: 'us',
    response_type: 'code',
    scope: 'openid profile email',
    redirect_uri: `${server.origin}/sign-in/callback/bad`,
    code_challenge_method: 'S256',
  })
  await comeBack(visitor)
  const verifier = fake.posted[0]?.get('code_verifier') ?? ''
  expect(createHash('sha256').update(verifier).digest('base64url')).toBe(asked.code_challenge)
  expect(fake.posted[0]?.get('client_secret')).toBe('a secret of the upstream')
  await pool.query('delete from upstream_proofs')
})

const stranger = await generateKeyPair('RS256')
const strangerJwk = { ...(await exportJWK(stranger.publicKey)), kid: 'fake-1', alg: 'RS256' }
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
const hour = 3600

describe('an ID token', () => {
  test.each<[string, Fake['next']]>([
    ['with another nonce', { claims: { nonce: 'of another request' } }],
    ['without a nonce', { claims: { nonce: undefined } }],
    ['of another issuer', { claims: { iss: 'https://accounts.google.com' } }],
    ['of an issuer that is spelt otherwise', { claims: { iss: `${fake.issuer}/` } }],
    ['for another audience', { claims: { aud: 'another' } }],
    ['for us and others, without azp', { claims: { aud: ['us', 'another'] } }],
    ['for us and others, azp another', { claims: { aud: ['us', 'another'], azp: 'another' } }],
    ['for us alone, azp another', { claims: { azp: 'another' } }],
    ['that has expired', { claims: { exp: Math.floor(Date.now() / 1000) - hour } }],
    ['of the future', { claims: { nbf: Math.floor(Date.now() / 1000) + hour } }],
    ['without a subject', { claims: { sub: undefined } }],
    ['with an empty subject', { claims: { sub: '' } }],
    ['whose subject is a number', { claims: { sub: 1 } }],
    ['whose subject is endless', { claims: { sub: 'x'.repeat(300) } }],
    ['of another access token', { claims: { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' } }],
    ['signed by nobody', { idToken: (c) => `${encode({ alg: 'none' })}.${encode(c)}.` }],
    [
      'signed with our own secret',
      {
        idToken: (c) => {
          const head = `${encode({ alg: 'HS256', kid: 'fake-1' })}.${encode(c)}`
          const mac = createHmac('sha256', 'a secret of the upstream').update(head)
          return `${head}.${mac.digest('base64url')}`
        },
      },
    ],
    ['by a key that is not published', { header: { kid: 'another' } }],
    [
      'by a key that it brings along',
      {
        idToken: (c) =>
          new SignJWT(c)
            .setProtectedHeader({ alg: 'RS256', kid: 'fake-1', jwk: strangerJwk })
            .sign(stranger.privateKey),
      },
    ],
    ['that is none', { idToken: () => 'no.token' }],
    ['that is missing', { body: { id_token: undefined } }],
  ])('%s is refused', async (_, next) => {
    const visitor = createBrowser(server)
    await leave(visitor)
    fake.next = next
    await expectRefused(visitor, await comeBack(visitor), /cannot be trusted/)
  })

  test('and userinfo of two people is refused', async () => {
    const visitor = createBrowser(server)
    await leave(visitor)
    fake.next = {
      claims: { email: undefined },
      userinfo: { sub: 'another', email: 'a@example.org' },
    }
    await expectRefused(visitor, await comeBack(visitor), /cannot be trusted/)
  })
})

describe('the way back', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['an error in its own words', { error: 'server_error', code: '' }, /turned us away/],
    ['a no of the person', { error: 'access_denied', code: '' }, /not signed in at Bad/],
    ['another issuer (RFC 9207)', { iss: 'https://honest.example' }, /cannot be trusted/],
    ['no code', { code: '' }, /cannot be trusted/],
  ])('with %s', async (_, more, words) => {
    const visitor = createBrowser(server)
    await leave(visitor)
    const given = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== ''))
    const query = new URLSearchParams({
      state: fake.asked.get('state') ?? '',
      iss: fake.issuer,
      ...given,
    })
    if (!('code' in more)) query.set('code', 'a-code')
    const page = await visitor.get(`${server.origin}/sign-in/callback/bad?${query}`)
    await expectRefused(visitor, page, words)
    expect(page.body).not.toContain('server_error')
  })

  test('with a wrong state, none, or that of another browser leads nowhere', async () => {
    const [visitor, victim] = [createBrowser(server), createBrowser(server)]
    await leave(visitor)
    await victim.get(`${server.origin}/sign-in`)
    for (const page of [
      await comeBack(visitor, { state: 'A'.repeat(43) }),
      await comeBack(visitor, { state: '' }),
      // Login CSRF: the attacker's answer in the victim's browser.
      await comeBack(victim),
    ]) {
      expect(page.status).toBe(410)
      expect(page.body).not.toContain('a-code')
    }
    expect(fake.posted).toEqual([])
    // The attacker's own is still good: a stranger's try has not used it up.
    expect((await comeBack(visitor)).url).toContain('/new-here')
    await pool.query('delete from upstream_proofs')
  })

  test('at another provider’s address (mix-up) sends no code anywhere', async () => {
    const visitor = createBrowser(server)
    await leave(visitor)
    const page = await comeBack(visitor, {}, 'other')
    expect(page.status).toBe(410)
    expect([fake.posted, other.posted]).toEqual([[], []])
  })

  test('is good once, however many come at once', async () => {
    const visitor = createBrowser(server)
    await leave(visitor)
    const pages = await Promise.all(
      Array.from({ length: Math.max(20, rounds) }, () => comeBack(visitor)),
    )
    expect(pages.filter(({ status }) => status === 410)).toHaveLength(pages.length - 1)
    expect(fake.posted).toHaveLength(1)
    await pool.query('delete from upstream_proofs')
  })

  test('is too late after ten minutes', async () => {
    const visitor = createBrowser(server)
    await leave(visitor)
    await pool.query(`update upstream_requests set expires_at = now() - interval '1 second'`)
    expect((await comeBack(visitor)).status).toBe(410)
  })

  test('by a form, where answers come in the query, is no way', async () => {
    const answer = await fetch(`${server.origin}/sign-in/callback/bad`, {
      method: 'POST',
      body: new URLSearchParams({ state: 'x', code: 'y' }),
    })
    expect(answer.status).toBe(404)
  })

  test('the token endpoint refuses us: in words, and its own words stay in the log', async () => {
    const visitor = createBrowser(server)
    await leave(visitor)
    fake.next = { status: 401, body: { error: 'invalid_client', error_description: 'call +1 900' } }
    const page = await comeBack(visitor)
    await expectRefused(visitor, page, /turned us away/)
    expect(page.body).not.toContain('900')
    expect(server.log.join('')).toContain('invalid_client')
    expect(server.log.join('')).not.toContain('a secret of the upstream')
  })
})

test.each([
  ['the string "true"', 'true'],
  ['the number 1', 1],
  ['nothing', undefined],
])('AC-19 email_verified as %s proves no address', async (_, verified) => {
  const visitor = createBrowser(server)
  await leave(visitor, 'said', believed)
  believed.next = { claims: { email_verified: verified } }
  const page = await comeBack(visitor, {}, 'said', believed)
  expect(page.url).toContain('/new-here')
  expect(page.body).not.toContain('id="username"')
  await pool.query('delete from upstream_proofs')
})

test('AC-23 two upstreams with one subject are two people', async () => {
  const first = createBrowser(server)
  await leave(first, 'said', believed)
  believed.next = { claims: { email_verified: true } }
  const welcome = await comeBack(first, {}, 'said', believed)
  const home = await first.press(welcome, 'continue', { username: 'someone-said' })
  expect(home.url).toBe(`${server.origin}/account`)
  const second = createBrowser(server)
  await leave(second, 'other', other)
  expect((await comeBack(second, {}, 'other', other)).url).toContain('/new-here')
  expect(await isSignedIn(server, second)).toBe(false)
  await pool.query('delete from upstream_proofs')
  await pool.query('delete from identities')
})

test('a sign-in from memory is none where a recent one is asked for', async () => {
  const visitor = createBrowser(server)
  const page = await visitor.get(`${server.origin}/oauth2/authorize?${await anew()}`)
  const away = await visitor.press(page, 'with-said')
  believed.asked = new URL(away.url).searchParams
  expect(Object.fromEntries(believed.asked)).toMatchObject({ prompt: 'login', max_age: '0' })
  believed.next = { claims: { auth_time: Math.floor(Date.now() / 1000) - hour } }
  const back = await comeBack(visitor, {}, 'said', believed)
  expect(back.error).toContain('anew')
})

async function anew(): Promise<URLSearchParams> {
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const start = await visitor.get(`${server.origin}/sign-in`)
  await signInAt(visitor, start, person)
  const challenge = createHash('sha256').update('x'.repeat(43)).digest('base64url')
  return new URLSearchParams({
    client_id: 'account.pages',
    redirect_uri: `${server.origin}/account`,
    response_type: 'code',
    scope: 'openid',
    max_age: '60',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  })
}

describe('RL-20 a slow or dead upstream', () => {
  test('costs whoever wants it a moment, and nobody else anything', async () => {
    const slow = await createFake()
    slow.next = { answer: () => true }
    const endless = await createFake()
    endless.next = {
      answer(_, response) {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end('['.repeat(400_000))
        return true
      },
    }
    await addProvider(server, { id: 'slow', name: 'Slow', issuer: slow.issuer })
    await addProvider(server, { id: 'endless', name: 'Endless', issuer: endless.issuer })
    const broken = await createFake()
    broken.next = { answer: (_, response) => Boolean(response.writeHead(503).end()) }
    await addProvider(server, { id: 'broken', name: 'Broken', issuer: broken.issuer })
    await addProvider(server, { id: 'dead', name: 'Dead', issuer: 'http://127.0.0.1:2' })
    await noticed()
    const person = await createPerson(server)
    const visitors = Array.from({ length: 4 }, () => createBrowser(server))
    const pages = await Promise.all(
      visitors.map((visitor) => visitor.get(`${server.origin}/sign-in`)),
    )
    const [a, b, c, d] = visitors as [Visitor, Visitor, Visitor, Visitor]
    const [pa, pb, pc, pd] = pages as [Page, Page, Page, Page]
    const waiting = a.press(pa, 'with-slow')
    const began = Date.now()
    const home = await signInAt(d, pd, person)
    expect(home.url).toBe(`${server.origin}/account`)
    expect(Date.now() - began).toBeLessThan(2500)
    expect((await b.press(pb, 'with-endless')).error).toMatch(/Endless/)
    expect((await c.press(pc, 'with-dead')).error).toContain('Dead does not answer')
    // After a few failures it is not asked for a while.
    for (let i = 0; i < 3; i++) await c.press(pc, 'with-broken')
    expect(broken.requests).toBe(3)
    expect((await c.press(pc, 'with-broken')).error).toContain('Broken does not answer')
    expect(broken.requests).toBe(3)
    expect((await waiting).error).toContain('Slow does not answer')
  }, 40_000)
})

test('DS-11 logout tokens of anybody, whatever key they name, cost the upstream one request', async () => {
  await leave(createBrowser(server))
  const before = fake.requests
  const now = Math.floor(Date.now() / 1000)
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  const claims = { iss: fake.issuer, aud: 'us', sub: 'someone', iat: now, jti: 'one', events }
  const post = async (token: string) => {
    const body = new URLSearchParams({ logout_token: token })
    const path = '/sign-in/backchannel-logout/bad'
    return (await fetch(server.origin + path, { method: 'POST', body })).status
  }
  for (let index = 0; index < 10; index++) {
    expect(await post(await fake.sign(claims, { kid: `unknown${index}` }))).toBe(400)
  }
  expect(await post(await fake.sign(claims))).toBe(200)
  expect(fake.requests - before).toBeLessThanOrEqual(1)
})
