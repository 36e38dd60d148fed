/** A refused request carries a reference, and `idp explain` says what differs and how to mend it. */
import { beforeAll, expect, test } from 'vitest'
import { createIdp } from '../cli/support.ts'
import { createBrowser } from '../support/person.ts'
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
