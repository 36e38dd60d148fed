/** DS-13, IN-02, IN-03: input that no honest program sends is refused in words, and the process lives on. */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const app = await createApp(server)
const spa = await createApp(server, { preset: 'spa' })
const person = await createPerson(server)

const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (payload: unknown, header: unknown = { alg: 'ES256' }) =>
  `${b64(header)}.${b64(payload)}.c2lnbmF0dXJl`
const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${origin}${path}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body,
  })
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${origin}${path}`, { redirect: 'manual', headers })
const basic = (text: string) => ({
  authorization: `Basic ${Buffer.from(text, 'latin1').toString('base64')}`,
})

const oddNames = [
  '__proto__',
  'constructor',
  'toString',
  '',
  '\u0000',
  '\ud800',
  'ä',
  '%',
  "'",
  '{}',
]

async function survives(what: string, answer: Promise<Response>) {
  const { status } = await answer
  expect(status, what).toBeLessThan(500)
  expect(status, what).toBeGreaterThanOrEqual(200)
}

test('DS-13: odd ids of clients, flows, sessions and references', async () => {
  for (const name of oddNames) {
    const escaped = encodeURIComponent(name.isWellFormed() ? name : '\ufffd')
    for (const path of [
      `/oauth2/authorize?client_id=${escaped}&redirect_uri=${escaped}&scope=openid`,
      `/oauth2/authorize?client_id=${spa.id}&redirect_uri=${escaped}&resource=${escaped}`,
      `/oauth2/authorize?posted=${escaped}`,
      `/oauth2/authorize?posted=a&posted=b`,
      `/oauth2/authorize/${escaped}`,
      `/oauth2/logout?client_id=${escaped}&post_logout_redirect_uri=${escaped}&state=${escaped}`,
      `/oauth2/logout/success?client_id=${escaped}`,
      `/sign-in/${escaped}`,
      `/sign-in/${escaped}/consent`,
      `/verify-email?token=${escaped}&token=${escaped}`,
      `/errors/${escaped}`,
      `/api/registrations/${escaped}`,
      `/api/registrations/usernames/${escaped}`,
    ]) {
      await survives(path, get(path))
      await survives(
        `${path} with cookies`,
        get(path, {
          cookie: `session=${escaped}; flow=${escaped}; resume=${escaped}; registration=${escaped}.x; device=~~; csrf-=${escaped}; ended=${escaped}; locale=${escaped}`,
        }),
      )
    }
    for (const endpoint of ['token', 'introspect', 'revoke', 'par']) {
      const body = new URLSearchParams({
        client_id: name,
        client_secret: name,
        token: name,
        code: name,
        refresh_token: name,
        grant_type: 'refresh_token',
        redirect_uri: name,
      })
      await survives(`${endpoint} ${escaped}`, post(`/oauth2/${endpoint}`, body.toString()))
      await survives(
        `${endpoint} basic`,
        post(`/oauth2/${endpoint}`, `grant_type=${escaped}`, basic(`${name}:${name}`)),
      )
    }
  }
})

test('DS-13: JSON web tokens with members of other types', async () => {
  const odd = [null, 5, [], {}, [app.id], [[app.id]], { a: 1 }, app.id, 'x'.repeat(5000)]
  for (const value of odd) {
    const token = jwt({
      aud: value,
      sub: value,
      iss: value,
      client_id: value,
      exp: value,
      iat: value,
      jti: value,
      scope: value,
      htu: value,
      htm: value,
    })
    await survives('hint', get(`/oauth2/logout?id_token_hint=${token}`))
    await survives(
      'hint at authorize',
      get(spa.begin({ id_token_hint: token }).url.slice(origin.length)),
    )
    await survives('request', get(spa.begin({ request: token }).url.slice(origin.length)))
    await survives(
      'pushed',
      post('/oauth2/par', new URLSearchParams({ client_id: spa.id, request: token }).toString()),
    )
    const assertion = {
      client_assertion: token,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }
    await survives(
      'assertion',
      post(
        '/oauth2/token',
        new URLSearchParams({ grant_type: 'client_credentials', ...assertion }).toString(),
      ),
    )
    await survives('bearer', get('/oauth2/userinfo', { authorization: `Bearer ${token}` }))
    await survives(
      'proof',
      get('/oauth2/userinfo', { authorization: `DPoP ${token}`, dpop: token }),
    )
    await survives(
      'proof at token',
      post('/oauth2/token', `grant_type=refresh_token&refresh_token=x&client_id=${spa.id}`, {
        dpop: jwt({ iat: value, jti: value }, { alg: value, typ: 'dpop+jwt', jwk: value }),
      }),
    )
    expect((await app.introspect(token)).status).toBeLessThan(500)
    expect(
      (
        await app.introspect(
          jwt(
            { aud: value, client_id: value, gid: value },
            { alg: 'none', typ: 'at+jwt', kid: value },
          ),
        )
      ).body,
    ).not.toMatchObject({ active: true })
  }
  for (const text of [
    'junk',
    'a.b.c',
    '..',
    `${b64(null)}.${b64(null)}.`,
    `${b64([])}.${b64('x')}.x`,
  ]) {
    await survives('request', get(spa.begin({ request: text }).url.slice(origin.length)))
    await survives('proof', get('/oauth2/userinfo', { authorization: 'DPoP x', dpop: text }))
  }
})

test('DS-13: bodies and headers of other shapes', async () => {
  for (const json of [
    'null',
    '5',
    '"x"',
    '[]',
    '{}',
    '{"username":{}}',
    '{"code":1}',
    '{"code":[],"token":{}}',
    '[{"__proto__":1}]',
    '{"constructor":{"prototype":{}}}',
  ]) {
    for (const path of [
      '/api/registrations',
      '/api/registrations/x/verification',
      '/oauth2/token',
      '/sign-in/x',
      '/account/apps',
    ])
      await survives(path, post(path, json, { 'content-type': 'application/json' }))
  }
  for (const accept of ['', ',', '*/*;q=x', 'text/html;q=', ';;;', 'a'.repeat(4000)])
    for (const path of ['/nowhere', '/oauth2/authorize', '/readyz', '/oauth2/logout'])
      await survives(
        `accept ${accept}`,
        get(path, { accept, 'accept-language': accept, 'if-none-match': accept }),
      )
  for (const type of [
    '',
    'x',
    'multipart/form-data',
    'application/x-www-form-urlencoded; charset=utf-7',
  ])
    for (const path of [
      '/oauth2/token',
      '/oauth2/authorize',
      '/oauth2/logout/confirm',
      '/register',
    ])
      await survives(
        `${path} ${type}`,
        post(path, 'a=%E0%A4%A&b=%00&__proto__=1', { 'content-type': type }),
      )
})

test('DS-13: bytes that are no HTTP, and halves of requests', async () => {
  const { port } = new URL(origin)
  const host = `Host: localhost:${port}\r\n`
  const lines = [
    `GET /sign-in/x HTTP/1.1\r\n${host}Cookie: session=\x80\xff; flow=\xf0\r\nReferer: \xff\r\n\r\n`,
    `GET /\xff\xfe HTTP/1.1\r\n${host}\r\n`,
    `GET http://evil.example/oauth2/authorize HTTP/1.1\r\n${host}\r\n`,
    `GET //evil.example/sign-in HTTP/1.1\r\n${host}\r\n`,
    `GET /oauth2/authorize?ui_locales=%zz HTTP/1.1\r\n${host}\r\n`,
    `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
    `POST /oauth2/token HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nhalf`,
    `POST /register HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nhalf`,
    `GET / HTTP/1.1\r\n${host}${host}\r\n`,
    `GET / HTTP/1.1\r\nHost: \r\n\r\n`,
    `GET / HTTP/1.0\r\n\r\n`,
  ]
  for (const line of lines) {
    const socket = connect(Number(port), '127.0.0.1')
    const answer = await new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        socket.destroy()
      })
      socket.on('error', () => resolve(text))
      socket.on('close', () => resolve(text))
      socket.write(Buffer.from(line, 'latin1'))
      setTimeout(() => socket.destroy(), 300)
    })
    expect(answer, line).not.toMatch(/^HTTP\/1\.1 5/)
  }
  expect((await get('/healthz')).status).toBe(200)
})

test('OA-18: claims within claims survive the whole way to the tokens', async () => {
  const deep = `${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`
  const wide = `[${Array.from({ length: 1500 }, (_, n) => n).join()}]`
  for (const value of [deep, wide, '"\\ud800"', '"\\u0000"', '{"__proto__":{"x":1}}']) {
    for (const claims of [
      `{"id_token":{"email":{"value":${value}}}}`,
      `{"userinfo":{"__proto__":{"value":${value}},"name":null}}`,
    ]) {
      const request = app.begin({ claims })
      const kept = await post('/oauth2/authorize', request.parameters.toString())
      const location = new URL(kept.headers.get('location') ?? '/', origin).href
      const browser = createBrowser(server)
      const page = await browser.get(location)
      expect(page.status, claims.slice(0, 60)).toBeLessThan(500)
      if (!page.url.includes('/sign-in/')) continue
      const next = await browser.press(page, 'continue', {
        identifier: person.username,
        password: person.password,
      })
      const end = next.url.endsWith('/consent') ? await browser.press(next, 'continue') : next
      expect(end.status, claims.slice(0, 60)).toBeLessThan(500)
      const { code } = Object.fromEntries(new URL(end.url).searchParams)
      if (code)
        expect((await app.redeem(request, code)).status, claims.slice(0, 60)).toBeLessThan(500)
    }
  }
})

test('introspection that is asked to be signed is answered, whoever asks', async () => {
  const { answer } = await authorize(createBrowser(server), app, person)
  const accept = 'application/token-introspection+jwt'
  for (const token of [
    answer.body.access_token,
    jwt({ aud: 'x' }, { alg: 'ES256', typ: 'at+jwt' }),
  ]) {
    const { status } = await app.post('introspect', { token }, { accept })
    expect(status).toBeLessThan(500)
  }
})

test('nothing of all this was a fault of ours', () => {
  const faults = server.log.filter((line) => /"level":"(error|fatal)"/.test(line))
  expect(faults.slice(0, 3)).toEqual([])
})
