/** What the authorization endpoint refuses, in which form, and that nothing of it ever reaches a page unescaped. */
import { expect, test } from 'vitest'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { createApp, type Parameters } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const person = await createPerson(server)
const web = await createApp(server, { preset: 'web' })
const spa = await createApp(server, { preset: 'spa' })
const legacy = await createApp(server, { pkce: 'optional' })
const apps = { web, spa, legacy }

/** What the app is told when a person without a session comes with these parameters. */
async function refusal(app: typeof web, parameters: Parameters): Promise<string | undefined> {
  const request = app.begin(parameters)
  const page = await createBrowser(server).get(request.url)
  expect(page.url, 'no sign-in page').not.toContain('/sign-in/')
  const answer = app.answerOf({ ...request, state: parameters.state ?? request.state }, page)
  expect(answer.code).toBeUndefined()
  return answer.error
}

test('OA-01: only the code flow exists', async () => {
  for (const response_type of ['token', 'id_token', 'none']) {
    const request = web.begin({ response_type })
    const page = await createBrowser(server).get(request.url)
    const { searchParams, hash } = new URL(page.url)
    const answer = hash ? new URLSearchParams(hash.slice(1)) : searchParams
    expect(page.url.startsWith(web.redirectUri)).toBe(true)
    expect([answer.get('error'), answer.get('iss')]).toEqual(['unsupported_response_type', origin])
  }
  for (const response_type of ['code token', 'code id_token']) {
    const page = await createBrowser(server).get(web.begin({ response_type }).url)
    expect(page.url).toContain('error=unsupported_response_type')
  }
  const discovery = await (await fetch(`${origin}/.well-known/openid-configuration`)).json()
  expect(discovery).toMatchObject({
    response_types_supported: ['code'],
    authorization_response_iss_parameter_supported: true,
    issuer: origin,
  })
})

const noChallenge = { code_challenge: undefined, code_challenge_method: undefined }

test('OA-02: without a challenge nobody gets to the sign-in page', async () => {
  expect(await refusal(web, noChallenge)).toBe('invalid_request')
  expect(await refusal(spa, noChallenge)).toBe('invalid_request')
})

test('OA-02: only a confidential app with its own exemption passes without a challenge', async () => {
  const page = await createBrowser(server).get(legacy.begin(noChallenge).url)
  expect(page.url).toContain('/sign-in/')
  await expect(createApp(server, { preset: 'spa', pkce: 'optional' })).rejects.toThrow('pkce')
})

test('OA-03: no challenge method but S256', async () => {
  for (const app of Object.values(apps)) {
    expect(await refusal(app, { code_challenge_method: 'plain' })).toBe('invalid_request')
    expect(await refusal(app, { code_challenge_method: undefined })).toBe('invalid_request')
    expect(await refusal(app, { code_challenge: undefined })).toBe('invalid_request')
  }
})

test('OA-04: a malformed challenge is refused', async () => {
  for (const code_challenge of [
    'a'.repeat(42),
    `${'a'.repeat(42)}=`,
    'a'.repeat(129),
    'ä'.repeat(43),
  ]) {
    expect(await refusal(web, { code_challenge })).toBe('invalid_request')
  }
})

test('OA-07: a parameter that comes twice is refused; on a page where it is the app or its address', async () => {
  const request = web.begin()
  const doubled = async (name: string, value: string) =>
    createBrowser(server).get(`${request.url}&${name}=${encodeURIComponent(value)}`)
  const scope = await doubled('scope', 'openid')
  expect(web.answerOf(request, scope).error).toBe('invalid_request')
  for (const [name, value] of [
    ['client_id', web.id],
    ['redirect_uri', web.redirectUri],
    ['redirect_uri', 'https://evil.example'],
  ] as const) {
    const page = await doubled(name, value)
    expect([page.status, page.headers.get('location')]).toEqual([400, null])
    expect(page.body).not.toContain('evil.example"')
  }
})

test('OA-08: structured names are no parameters', async () => {
  for (const name of ['redirect_uri[]', 'client_id[x]', '__proto__', 'constructor[prototype]']) {
    const { url } = web.begin({ redirect_uri: undefined, [name]: 'https://evil.example' })
    const page = await createBrowser(server).get(url)
    expect(page.status).toBe(400)
    expect(page.headers.get('location')).toBeNull()
    expect(page.body).not.toMatch(/\bat .*\.(ts|js):\d/)
  }
})

test('OA-09: an unknown app is answered on a page with a reference, never by a redirect', async () => {
  for (const client_id of [
    'nobody',
    undefined,
    '',
    'a b',
    "'; drop table clients",
    'x'.repeat(500),
  ]) {
    const page = await createBrowser(server).get(web.begin({ client_id }).url)
    expect(page.status).toBe(400)
    expect(page.headers.get('location')).toBeNull()
    expect(page.body).toMatch(/id="reference">[2-9A-Z]{4}-[2-9A-Z]{4}</)
  }
})

test('the reference on an error page stands for what was refused', async () => {
  const page = await createBrowser(server).get(
    web.begin({ redirect_uri: 'https://evil.example/?secret=1' }).url,
  )
  const reference = /id="reference">([^<]+)</.exec(page.body)?.[1] ?? ''
  const row = await server.database.db
    .selectFrom('refusals')
    .selectAll()
    .where('reference', '=', reference)
    .executeTakeFirstOrThrow()
  expect(row).toMatchObject({ clientId: web.id, endpoint: '/oauth2/authorize' })
  expect(JSON.stringify(row.detail)).toContain('https://evil.example/?secret=…')
})

test('OA-10: an odd state comes back unchanged', async () => {
  const person = await createPerson(server)
  const browser = createBrowser(server)
  await authorize(browser, web, person)
  for (const state of ['x'.repeat(2048), '<script>alert(1)</script>', 'a&b=c#d?e+f g%20', '状态']) {
    const request = web.begin({ state })
    expect(web.answerOf(request, await browser.get(request.url)).code).toBeTruthy()
    expect(await refusal(web, { state, prompt: 'none' })).toBe('login_required')
  }
})

test('OA-13: prompt=none without a session tells the app', async () => {
  expect(await refusal(web, { prompt: 'none' })).toBe('login_required')
})

test('OA-15: a response mode that does not exist is refused', async () => {
  for (const response_mode of ['web_message', 'made-up', 'web_message.jwt']) {
    const page = await createBrowser(server).get(web.begin({ response_mode }).url)
    expect(page.url).toContain('error=')
    expect(page.url).not.toContain('code=')
  }
})

test('OA-16: a scope that the app may not have is refused, an unknown one is left out', async () => {
  const little = await createApp(server, { scope: 'openid profile' })
  for (const scope of ['openid email', 'openid profile address', 'openid phone']) {
    expect(await refusal(little, { scope })).toBe('invalid_scope')
  }
  const { answer } = await authorize(createBrowser(server), little, person, {
    scope: 'openid profile offline fly',
  })
  expect(answer.body.scope).toBe('openid profile')
})

test('OA-16: a huge scope is answered at once', async () => {
  const scope = `openid ${Array.from({ length: 1200 }, (_, n) => `s${n}`).join(' ')}`
  const began = performance.now()
  const page = await createBrowser(server).get(web.begin({ scope }).url)
  expect(performance.now() - began).toBeLessThan(1000)
  expect(page.url).toContain('/sign-in/')
})

test('OA-18: hostile claims do no harm', async () => {
  const wrong = [
    '[]',
    '1',
    'null',
    '{',
    '{}',
    '{"id_token":[]}',
    '{"userinfo":{"email":5}}',
    nested(150),
  ]
  for (const claims of wrong) {
    expect(await refusal(web, { claims })).toBe('invalid_request')
  }
  // By POST there is room for more: 56 KB of braces.
  for (const claims of [nested(5000), `{"id_token":{"email":${nested(5000)}}}`]) {
    const body = web.begin({ claims }).parameters
    const kept = await fetch(`${origin}/oauth2/authorize`, {
      method: 'POST',
      body,
      redirect: 'manual',
    })
    const location = new URL(kept.headers.get('location') ?? '/', origin)
    expect((await createBrowser(server).get(location.href)).status).toBeLessThan(500)
  }
  expect((await fetch(`${origin}/healthz`)).status).toBe(200)
})

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
}

test('OA-19, WB-09: a login_hint fills the field, escaped', async () => {
  const login_hint = '"><img src=x onerror=alert(1)>'
  const page = await createBrowser(server).get(web.begin({ login_hint }).url)
  expect(page.body).not.toContain('<img')
  expect(page.body).toMatch(
    /value="(&quot;|&#34;)(&gt;|>)&lt;img src=x onerror=alert\(1\)(&gt;|>)"/,
  )
})

test('OA-19: an id_token_hint of somebody else never uses the wrong account', async () => {
  const other = await createPerson(server)
  const theirs = await authorize(createBrowser(server), web, other)
  const browser = createBrowser(server)
  await authorize(browser, web, person)
  const request = web.begin({ id_token_hint: theirs.answer.body.id_token })
  expect((await browser.get(request.url)).url).toContain('/sign-in/')
  const silent = web.begin({ id_token_hint: theirs.answer.body.id_token, prompt: 'none' })
  expect(web.answerOf(silent, await browser.get(silent.url)).error).toBe('login_required')
  for (const id_token_hint of ['junk', 'a.b.c']) {
    expect(await refusal(web, { id_token_hint })).toBe('invalid_request')
  }
})

test('OA-14: no site may read the authorization endpoint, and only an app\u2019s own its tokens', async () => {
  const from = (url: string, site: string, init: RequestInit = {}) =>
    fetch(url, { redirect: 'manual', ...init, headers: { origin: site } })
  const allowed = (response: Response) => response.headers.get('access-control-allow-origin')
  const own = new URL(spa.redirectUri).origin
  expect(allowed(await from(spa.begin().url, own))).toBeNull()
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: spa.id,
    refresh_token: 'x',
  })
  const token = (site: string) => from(`${origin}/oauth2/token`, site, { method: 'POST', body })
  expect(allowed(await token(own))).toBe(own)
  expect(allowed(await token('https://evil.example'))).toBeNull()
})

test('IN-02: a NUL anywhere is a bad request and no fault', async () => {
  for (const name of ['nonce', 'state', 'login_hint', 'client_id', 'scope', 'claims', 'prompt']) {
    const page = await createBrowser(server).get(web.begin({ [name]: 'a\0b' }).url)
    expect(page.status, name).toBeLessThan(500)
    expect(page.url, name).not.toContain('/sign-in/')
  }
  for (const fields of [
    { grant_type: 'refresh_token', refresh_token: 'a\0b' },
    { grant_type: 'authorization_code', code: '\0', redirect_uri: web.redirectUri },
    { grant_type: 'client_credentials', resource: 'https://a\0b' },
  ]) {
    expect((await web.post('token', fields)).status).toBe(400)
  }
})

test('WB-11: asking by HEAD issues nothing', async () => {
  const browser = createBrowser(server)
  await authorize(browser, web, person)
  const cookie = [...browser.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  const before = await countCodes()
  const response = await fetch(web.begin().url, {
    method: 'HEAD',
    redirect: 'manual',
    headers: { cookie },
  })
  expect(response.headers.get('location') ?? '').not.toContain('code=')
  expect(await countCodes()).toBe(before)
})

async function countCodes(): Promise<number> {
  const rows = await server.database.db.selectFrom('authorizationCodes').select('idHash').execute()
  return rows.length
}
