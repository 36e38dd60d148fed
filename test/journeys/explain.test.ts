/** A refused request carries a reference, and `idp explain` says what differs and how to mend it. */
import { decodeJwt } from 'jose'
import { beforeAll, expect, test } from 'vitest'
import { createIdp } from '../cli/support.ts'
import { authorize, createBrowser, createPerson } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let app: App

beforeAll(async () => {
  server = await startTestServer()
  app = await createApp(server)
})

async function idp(...argv: string[]): Promise<{ code: number; out: string }> {
  const command = createIdp(server.database.url, { ISSUER: server.origin })
  const { code, stdout } = await command(argv)
  return { code, out: stdout }
}

const referenceIn = (text: string) => /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/.exec(text)?.[0] ?? ''

test('a wrong redirect URI: the page shows a reference that explains the exact difference', async () => {
  const { url } = app.begin({ redirect_uri: `${app.redirectUri}/` })
  const page = await createBrowser(server).get(url)
  expect(page.status).toBe(400)
  const told = await idp('explain', referenceIn(page.body))
  expect(told.code).toBe(0)
  expect(told.out).toContain(app.id)
  expect(told.out).toContain('a slash at the end')
  const received = told.out.split('\n').find((line) => line.includes('received')) ?? ''
  const mark = told.out.split('\n').find((line) => line.trim() === '^') ?? ''
  expect(received[mark.indexOf('^')]).toBe('/')
  expect(told.out).toContain(`idp clients update ${app.id} --add-redirect-uri ${app.redirectUri}/`)
})

test('an error that goes back to the app, and one of the token endpoint, carry error_uri', async () => {
  const redirected = await createBrowser(server).get(app.begin({ code_challenge: 'short' }).url)
  const uri = new URL(redirected.url).searchParams.get('error_uri') ?? ''
  expect(uri.startsWith(`${server.origin}/errors/`)).toBe(true)
  expect((await idp('explain', uri)).out).toContain('code_challenge')

  const refused = await app.post('token', { grant_type: 'authorization_code', code: 'nonsense' })
  expect(refused.status).toBe(400)
  const { error_uri: tokenUri } = refused.body as { error_uri?: string }
  const told = await idp('explain', referenceIn(tokenUri ?? ''), '--json')
  expect(JSON.parse(told.out)).toMatchObject({
    version: 1,
    refusal: { endpoint: '/oauth2/token', client_id: app.id },
  })
  expect(told.out).not.toContain('nonsense')
})

const odd = { code_challenge: '"><b>', scope: 'openid "' }
const inputOf = (page: { body: string }, name: string) =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(page.body)?.[1] ?? ''

test.each<[string, (page: { url: string; body: string }) => unknown]>([
  ['fragment', ({ url }) => new URLSearchParams(url.split('#')[1]).get('error_uri')],
  ['form_post', (page) => inputOf(page, 'error_uri')],
  ['query.jwt', ({ url }) => inSigned(new URL(url).searchParams.get('response'))],
  ['fragment.jwt', ({ url }) => inSigned(new URLSearchParams(url.split('#')[1]).get('response'))],
  ['form_post.jwt', (page) => inSigned(inputOf(page, 'response'))],
])('an error that goes back by %s carries the reference too', async (response_mode, uriIn) => {
  for (const parameters of [{ code_challenge: 'short' }, odd]) {
    const request = app.begin({ response_mode, ...parameters })
    const page = await createBrowser(server).get(request.url)
    const uri = String(uriIn(page))
    expect(uri.startsWith(`${server.origin}/errors/`), `${page.url} ${page.body}`).toBe(true)
    const told = await idp('explain', uri)
    expect(told.code).toBe(0)
    expect(told.out).toContain(app.id)
  }
})

/** What is signed is still whole: the error, the state, and for whom it is. */
function inSigned(jwt: string | null): unknown {
  const claims = decodeJwt(jwt ?? '')
  expect(claims).toMatchObject({ iss: server.origin, aud: app.id, state: expect.any(String) })
  expect(claims.error).toMatch(/^invalid_(request|scope)$/)
  return claims.error_uri
}

test('a form that is refused is still one form, and nothing in it came from the request', async () => {
  const { url } = app.begin({ response_mode: 'form_post', state: '"><script>x</script>', ...odd })
  const { body } = await createBrowser(server).get(url)
  expect(body.match(/name="error_uri"/g)).toHaveLength(1)
  expect(body).not.toContain('<script>x')
})

test('an answer that says yes, or an address of the app with odd words, is left alone', async () => {
  const redirectUri = 'https://odd.example.com/cb?response=x.y.z'
  const by = await createApp(server, { redirectUris: [redirectUri] })
  const page = await createBrowser(server).get(by.begin({ prompt: 'none' }).url)
  expect(page.url).toContain('error=login_required')
  const person = await createPerson(server)
  const { page: yes } = await authorize(createBrowser(server), by, person)
  expect(yes.url).toContain('response=x.y.z')
  expect(yes.url).not.toContain('error_uri')
})

test('a wrong post-logout address is explained too', async () => {
  const url = app.logoutUrl({
    client_id: app.id,
    post_logout_redirect_uri: 'https://evil.example/',
  })
  const page = await createBrowser(server).get(url)
  expect(page.status).toBe(400)
  const told = await idp('explain', referenceIn(page.body))
  expect(told.out).toContain('https://evil.example/')
})

test('an unknown reference ends with 3, and its page tells nobody anything', async () => {
  expect((await idp('explain', 'AAAA-AAAA')).code).toBe(3)
  const page = await createBrowser(server).get(`${server.origin}/errors/AAAA-AAAA`)
  expect(page.body).not.toContain(app.id)
})

test('an app that asks silently and is told to sign in first leaves nothing behind', async () => {
  const before = await countRefusals()
  await createBrowser(server).get(app.begin({ prompt: 'none' }).url)
  expect(await countRefusals()).toBe(before)
})

async function countRefusals(): Promise<number> {
  const { rows } = await server.database.pool.query('select count(*)::int as count from refusals')
  return rows[0].count
}
