/** Tokens bound to a key of the app (DPoP, RFC 9449): the proofs that are taken, the nonces, and what is bound. */
import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { randomToken } from '../../src/crypto.ts'
import { type Claims, createKey, createProver, now, type Prover } from '../support/client-keys.ts'
import { startNodes } from '../support/nodes.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { type Answer, type App, createApp, playApp, push } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const person = await createPerson(server)
const visitor = createBrowser(server)
const tokenUrl = `${origin}/oauth2/token`
const userinfoUrl = `${origin}/oauth2/userinfo`

const prover = await createProver()
const app = await createApp(server, { dpopBound: true }, { prover })
const spa = await createApp(server, { preset: 'spa' }, { prover })

/** One proof, as it is, in a refresh of a token that never was. */
async function present(proof: string, to: App = app): Promise<Answer> {
  return to.refresh('never given', {}, { dpop: proof })
}

/** What is asked of every proof at userinfo. */
async function userinfo(accessToken: string | undefined, proof?: string, scheme = 'DPoP') {
  const response = await fetch(userinfoUrl, {
    headers: { authorization: `${scheme} ${accessToken}`, ...(proof ? { dpop: proof } : {}) },
  })
  return { status: response.status, challenge: response.headers.get('www-authenticate') ?? '' }
}

test('tokens are bound to the key, are good with it and are refreshed with it', async () => {
  const { answer } = await authorize(visitor, app, person)
  expect(answer.body.token_type).toBe('DPoP')
  const { access_token: token } = answer.body
  expect((await app.userinfo(token)).body.sub).toBe(person.id)
  expect((await app.introspect(token)).body).toMatchObject({
    active: true,
    token_type: 'DPoP',
    cnf: { jkt: prover.thumbprint },
  })
  const next = await app.refresh(answer.body.refresh_token)
  expect(next.body.token_type).toBe('DPoP')
  expect((await app.userinfo(next.body.access_token)).status).toBe(200)
})

test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('a key for %s is as good', async (alg) => {
  const own = await createApp(server, { preset: 'spa' }, { prover: await createProver(alg) })
  const { answer } = await authorize(visitor, own, person)
  expect(answer.body.token_type).toBe('DPoP')
  expect((await own.userinfo(answer.body.access_token)).status).toBe(200)
})

test('a token for an API carries the key, and introspection names it', async () => {
  const identifier = 'https://bound.example.com'
  await createApi(db, { identifier, scopes: ['read'] }, { actor: { kind: 'operator' } })
  const own = await createApp(server, { dpopBound: true, scope: 'openid read' }, { prover })
  const parameters = { resource: identifier, scope: 'openid read' }
  const { request, code } = await obtainCode(visitor, own, person, parameters)
  const { body } = await own.redeem(request, code, { resource: identifier })
  expect(decodeJwt(body.access_token ?? '').cnf).toEqual({ jkt: prover.thumbprint })
  expect((await own.introspect(body.access_token)).body).toMatchObject({
    active: true,
    token_type: 'DPoP',
    cnf: { jkt: prover.thumbprint },
  })
})

test('FA-04: a bound token is nothing as a bearer token, with another key or without a proof', async () => {
  const { answer } = await authorize(visitor, app, person)
  const { access_token: token = '' } = answer.body
  const proven = { method: 'GET', url: userinfoUrl, accessToken: token }
  const bearer = await userinfo(token, undefined, 'Bearer')
  expect(bearer.status).toBe(401)
  expect((await userinfo(token, await prover.prove(proven), 'Bearer')).status).toBe(400)
  expect((await userinfo(token)).status).toBe(400)
  const other = await createProver()
  const stolen = await userinfo(token, await other.prove(proven))
  expect(stolen.status).toBe(401)
  expect(stolen.challenge).toContain('DPoP')
  expect((await userinfo(token, await prover.prove(proven))).status).toBe(200)
})

test('an app held to DPoP gets no token without a proof', async () => {
  const plain = playApp({ ...(await plainly(app)), redirectUri: app.redirectUri })
  const { request, code } = await obtainCode(visitor, app, person)
  const refused = await plain.redeem(request, code)
  expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant'])
  expect((await app.redeem(request, code)).status).toBe(200)
})

/** The same app without its proofs. */
async function plainly({ id, secret }: App) {
  return { origin, id, secret, method: 'client_secret_basic' }
}

describe('FA-02: refused is a proof', () => {
  const bad: [string, Claims, Claims][] = [
    ['for another method', { htm: 'GET' }, {}],
    ['for another host', { htu: 'https://other.example/oauth2/token' }, {}],
    ['for another endpoint', { htu: `${origin}/oauth2/par` }, {}],
    ['for no address', { htu: undefined }, {}],
    ['whose address is a list', { htu: [tokenUrl] }, {}],
    ['without an id', { jti: undefined }, {}],
    ['without a time', { iat: undefined }, {}],
    ['whose time is no number', { iat: 'now' }, {}],
    ['from two minutes ahead', { iat: now() + 120 }, {}],
    ['of another type', {}, { typ: 'JWT' }],
    ['of no type', {}, { typ: undefined }],
    ['without its key', {}, { jwk: undefined }],
    ['with a critical header', {}, { crit: ['urgent'], urgent: true }],
  ]
  // Without a nonce, so that what is wrong is not hidden by it.
  test.each(bad)('%s', async (_, claims, header) => {
    const proof = await prover
      .prove({ method: 'POST', url: tokenUrl }, { nonce: undefined, ...claims }, header)
      .catch(() => 'made.of.nothing')
    const { status, body } = await present(proof, spa)
    expect([status, body.error]).toEqual([400, 'invalid_dpop_proof'])
  })

  test('with a private key in its header', async () => {
    const { privateJwk, sign } = await privateKey()
    const { d: _d, ...publicJwk } = privateJwk
    const prove = (jwk: object) =>
      sign({ htm: 'POST', htu: tokenUrl, jti: randomToken(), iat: now() }, { typ: 'dpop+jwt', jwk })
    expect((await present(await prove(privateJwk), spa)).body.error).toBe('invalid_dpop_proof')
    expect((await present(await prove(publicJwk), spa)).body.error).toBe('invalid_grant')
  })

  test('signed by nobody, by another key, or by a secret', async () => {
    const honest = await prover.prove({ method: 'POST', url: tokenUrl }, { nonce: undefined })
    const [header = '', payload = ''] = honest.split('.')
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const none = encode({ alg: 'none', typ: 'dpop+jwt', jwk: prover.publicJwk })
    const secret = encode({ alg: 'HS256', typ: 'dpop+jwt', jwk: { kty: 'oct', k: 'c2VjcmV0' } })
    const foreign = await (await createKey()).sign(decodeJwt(honest), {
      typ: 'dpop+jwt',
      jwk: prover.publicJwk,
    })
    for (const proof of [
      `${none}.${payload}.`,
      `${header}.${payload}.`,
      `${secret}.${payload}.AAAA`,
      foreign,
    ]) {
      expect((await present(proof, spa)).body.error).toBe('invalid_dpop_proof')
    }
  })

  test('without or with a wrong ath at userinfo', async () => {
    const { answer } = await authorize(visitor, spa, person)
    const { access_token: token } = answer.body
    for (const ath of [undefined, 'x', randomToken()]) {
      const proof = await prover.prove(
        { method: 'GET', url: userinfoUrl, accessToken: token },
        { ath },
      )
      expect((await userinfo(token, proof)).status).toBe(401)
    }
  })

  test('sent twice in one request', async () => {
    const proofs = [await fresh(), await fresh()].join(', ')
    expect((await present(proofs, spa)).body.error).toBe('invalid_dpop_proof')
  })

  test('that was used', async () => {
    const proof = await fresh()
    expect((await present(proof, spa)).body.error).toBe('invalid_grant')
    const { answer } = await authorize(visitor, spa, person)
    const again = await fresh()
    expect((await spa.refresh(answer.body.refresh_token, {}, { dpop: again })).status).toBe(200)
    const replayed = await spa.refresh(answer.body.refresh_token, {}, { dpop: again })
    expect([400, 401]).toContain(replayed.status)
    const { access_token: token } = answer.body
    const once = await prover.prove({ method: 'GET', url: userinfoUrl, accessToken: token })
    expect((await userinfo(token, once)).status).toBe(200)
    expect((await userinfo(token, once)).status).toBe(401)
  })

  test('from ten minutes ago: who has no good clock is given a nonce', async () => {
    const proof = await prover.prove(
      { method: 'POST', url: tokenUrl },
      { nonce: undefined, iat: now() - 600 },
    )
    const { body, headers } = await present(proof, spa)
    expect(body.error).toBe('use_dpop_nonce')
    const nonce = headers.get('dpop-nonce')
    const again = await prover.prove({ method: 'POST', url: tokenUrl }, { nonce, iat: now() - 600 })
    expect((await present(again, spa)).body.error).toBe('invalid_grant')
  })

  test('but not one from ten seconds off', async () => {
    for (const off of [-10, 10]) {
      const proof = await prover.prove(
        { method: 'POST', url: tokenUrl },
        { nonce: undefined, iat: now() + off },
      )
      expect((await present(proof, spa)).body.error).toBe('invalid_grant')
    }
  })
})

const fresh = (by: Prover = prover) =>
  by.prove({ method: 'POST', url: tokenUrl }, { nonce: undefined })

async function privateKey() {
  const { exportJWK, generateKeyPair, SignJWT } = await import('jose')
  const pair = await generateKeyPair('ES256', { extractable: true })
  return {
    privateJwk: await exportJWK(pair.privateKey),
    sign: (claims: Claims, header: Claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).sign(pair.privateKey),
  }
}

describe('keys cannot be exchanged', () => {
  test('a public app’s refresh token is good with its key alone', async () => {
    const { answer } = await authorize(visitor, spa, person)
    const { refresh_token: token } = answer.body
    const plain = playApp({
      origin,
      id: spa.id,
      secret: undefined,
      method: 'none',
      redirectUri: '',
    })
    expect((await plain.refresh(token)).body.error).toBe('invalid_grant')
    const thief = await createProver()
    const stolen = await plain.refresh(token, {}, { dpop: await fresh(thief) })
    expect(stolen.body.error).toBe('invalid_grant')
    // Nobody can end it for its owner either.
    expect((await spa.refresh(token)).status).toBe(200)
  })

  test('a code that was asked for with dpop_jkt is redeemed with that key alone', async () => {
    const { request, code } = await obtainCode(visitor, spa, person, {
      dpop_jkt: prover.thumbprint,
    })
    const thief = await createProver()
    const stolen = await spa.redeem(request, code, {}, { dpop: await fresh(thief) })
    expect(stolen.body.error).toBe('invalid_grant')
  })

  test('a request pushed with a proof binds its code to that key', async () => {
    const first = await push(app, app.begin())
    const { code = '' } = app.answerOf(first, await visitor.get(first.url))
    const other = playApp({
      ...(await plainly(app)),
      redirectUri: app.redirectUri,
      prover: await createProver(),
    })
    expect((await other.redeem(first, code)).body.error).toBe('invalid_grant')
    const second = await push(app, app.begin())
    const answer = app.answerOf(second, await visitor.get(second.url))
    expect((await app.redeem(second, answer.code)).status).toBe(200)
  })

  test('a proof that is not the key of dpop_jkt is refused when pushed', async () => {
    const { thumbprint } = await createKey()
    const request = app.begin({ dpop_jkt: thumbprint })
    const { body } = await app.post('par', Object.fromEntries(request.parameters))
    expect(body.error).toBe('invalid_request')
  })
})

describe('FA-03: nonces', () => {
  test('an app held to DPoP is told one, and needs it', async () => {
    const own = await createProver()
    const held = await createApp(server, { dpopBound: true }, { prover: own })
    const first = await present(await own.prove({ method: 'POST', url: tokenUrl }), held)
    expect([first.status, first.body.error]).toEqual([400, 'use_dpop_nonce'])
    const nonce = first.headers.get('dpop-nonce') ?? ''
    expect(nonce).toMatch(/^[\w-]{43}$/)
    const proof = await own.prove({ method: 'POST', url: tokenUrl }, { nonce })
    expect((await present(proof, held)).body.error).toBe('invalid_grant')
    const made = await own.prove({ method: 'POST', url: tokenUrl }, { nonce: randomToken() })
    expect((await present(made, held)).body.error).toBe('use_dpop_nonce')
  })

  test('an app that chose DPoP needs none, and one that is made up does not help it', async () => {
    expect((await present(await fresh(), spa)).body.error).toBe('invalid_grant')
    const made = await prover.prove({ method: 'POST', url: tokenUrl }, { nonce: randomToken() })
    expect((await present(made, spa)).body.error).toBe('use_dpop_nonce')
  })

  test('userinfo challenges as a resource does: 401, the scheme, a nonce that then works', async () => {
    const own = await createProver()
    const bound = await createApp(server, {}, { prover: own })
    const { answer } = await authorize(createBrowser(server), bound, await createPerson(server))
    const accessToken = String(answer.body.access_token)
    const url = `${origin}/oauth2/userinfo`
    const ask = async (claims: Record<string, unknown>) => {
      const dpop = await own.prove({ method: 'GET', url, accessToken }, claims)
      return fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop } })
    }
    for (const claims of [{ nonce: randomToken() }, { nonce: undefined, iat: now() - 600 }]) {
      const refused = await ask(claims)
      expect(refused.status).toBe(401)
      const challenge = refused.headers.get('www-authenticate') ?? ''
      expect(challenge).toMatch(/^DPoP realm="[^"]+", error="use_dpop_nonce"/)
      expect(challenge).toMatch(/algs="ES256 EdDSA RS256 PS256"/)
      expect(challenge).not.toContain('Bearer')
      const nonce = String(refused.headers.get('dpop-nonce'))
      expect((await ask({ nonce, iat: now() - 600 })).status).toBe(200)
    }
    const future = await ask({ nonce: undefined, iat: now() + 120 })
    expect([future.status, future.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_dpop_proof"'),
    ])
    // A token that is bound is no bearer token.
    const bare = await fetch(url, { headers: { authorization: `Bearer ${accessToken}` } })
    expect(bare.status).toBe(401)
    expect(bare.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_token"/)
  })

  test('userinfo needs one of an app that is held to DPoP, as the token endpoint does', async () => {
    const own = await createProver()
    const held = await createApp(server, { dpopBound: true }, { prover: own })
    const { answer } = await authorize(createBrowser(server), held, await createPerson(server))
    const accessToken = String(answer.body.access_token)
    const url = `${origin}/oauth2/userinfo`
    const ask = async (claims: Record<string, unknown>, token = accessToken) => {
      const dpop = await own.prove({ method: 'GET', url, accessToken: token }, claims)
      return fetch(url, { headers: { authorization: `DPoP ${token}`, dpop } })
    }
    const refused = await ask({ nonce: undefined })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('error="use_dpop_nonce"')
    const nonce = refused.headers.get('dpop-nonce')
    expect((await ask({ nonce })).status).toBe(200)
    expect((await ask({ nonce: undefined }, randomToken())).status).toBe(401)
  })

  test('one is good at every process and after a restart', async () => {
    const own = await createProver()
    const held = await createApp(server, { dpopBound: true }, { prover: own })
    const told = await present(await own.prove({ method: 'POST', url: tokenUrl }), held)
    const nonce = told.headers.get('dpop-nonce') ?? ''
    const again = await startTestServer({
      env: { ISSUER: origin, SECRET_KEY: server.config.secretKeys[0] ?? '' },
      database: server.database,
      dataDir: server.config.dataDir,
    })
    const proof = await own.prove({ method: 'POST', url: tokenUrl }, { nonce })
    const answer = await sendAs(again.config.port, new URL(origin).host, held, proof)
    expect(answer).toContain('invalid_grant')
    await again.close()
  })
})

/** fetch does not let a Host be chosen. */
async function sendAs(port: number, host: string, as: App, proof: string): Promise<string> {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/oauth2/token',
        headers: {
          host,
          dpop: proof,
          authorization: `Basic ${Buffer.from(`${as.id}:${as.secret}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
      },
      (incoming) => {
        let text = ''
        incoming.on('data', (chunk) => {
          text += String(chunk)
        })
        incoming.on('end', () => resolve(text))
      },
    )
    outgoing.on('error', reject)
    outgoing.end('grant_type=refresh_token&refresh_token=x')
  })
}

describe.each([
  ['one node', 1],
  ['two nodes', 2],
])('on %s', async (_, count) => {
  const nodes = await startNodes(count)
  const someone = await createPerson(nodes)
  const browser = createBrowser(nodes)
  const own = await createProver()
  const bound = await createApp(nodes, { preset: 'spa' }, { prover: own })

  test('FA-01, RC-08: one proof sent twenty times at once is taken once', async () => {
    for (let round = 0; round < rounds; round++) {
      const { answer } = await authorize(browser, bound, someone)
      const { access_token: accessToken } = answer.body
      const url = `${nodes.origin}/oauth2/userinfo`
      const dpop = await own.prove({ method: 'GET', url, accessToken })
      const headers = { authorization: `DPoP ${accessToken}`, dpop }
      const all = await Promise.all(Array.from({ length: 20 }, () => fetch(url, { headers })))
      expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(all.filter(({ status }) => status === 401)).toHaveLength(19)
    }
  })
})
