/**
 * Redirect URIs are compared byte for byte, and whoever comes with another one is answered on a page: at authorize by
 * GET and POST, at PAR in JSON, at sign-out.
 */
import { expect, test } from 'vitest'
import { createBrowser } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const registered = ['https://app.example.com/cb', 'https://app.example.com/cb?x=1']
const app = await createApp(server, {
  preset: 'web',
  redirectUris: registered,
  postLogoutRedirectUris: registered,
})

const wrong = [
  ['RU-01', 'https://app.example.com.evil.com/cb'],
  ['RU-02', 'https://app.example.com@evil.com/cb'],
  ['RU-03', 'https://evil.com/https://app.example.com/cb'],
  ['RU-04', 'https://app.example.com/cb/../evil'],
  ['RU-05', 'https://app.example.com/cb/..%2f..%2fevil'],
  ['RU-06', 'https://app.example.com/cb/'],
  ['RU-07', 'https://app.example.com/CB'],
  ['RU-08', 'https://app.example.com:8443/cb'],
  ['RU-09', 'http://app.example.com/cb'],
  ['RU-11', 'https://app.example.com/cb#frag'],
  ['RU-12', 'https://app.example.com/cb?x=2'],
  ['RU-13', 'https://app.example.com/cb?x=1&y=2'],
  ['RU-14', '//evil.com/cb'],
  ['RU-15', ' https://app.example.com/cb'],
  ['RU-15', 'https://app.example.com/cb '],
  ['RU-15', 'https://app.example.com/cb\r\nLocation: https://evil.com'],
  ['RU-15', 'https://app.example.com/cb%0d%0aLocation:https://evil.com'],
  ['RU-16', 'https://foo.app.example.com/cb'],
  ['RU-17', 'https://appXexample.com/cb'],
  ['RU-18', 'javascript:alert(1)//https://app.example.com/cb'],
  ['RU-18', 'data:text/html,<script>alert(1)</script>'],
  ['RU-20', `https://app.example.com/cb?${'x'.repeat(11_000)}`],
] as const

function expectPage(page: { status: number; headers: Headers; url: string; body: string }): void {
  expect(page.status).toBeGreaterThanOrEqual(400)
  expect(page.status).toBeLessThan(500)
  expect(page.headers.get('location')).toBeNull()
  expect(page.url.startsWith(origin)).toBe(true)
  for (const [, target] of page.body.matchAll(/(?:href|action|src)="([^"]*)"/g)) {
    expect(target, 'a path of ours').toMatch(/^\/(?!\/)/)
  }
  expect(page.body).not.toContain('<script>alert')
}

test.each(wrong)('%s at authorize is a page without Location: %s', async (_id, redirect_uri) => {
  const { url, parameters } = app.begin({ redirect_uri })
  expectPage(await createBrowser(server).get(url))
  expectPage(await posted('authorize', parameters))
})

test.each(wrong)('%s at PAR is a JSON 400: %s', async (_id, redirect_uri) => {
  const { parameters } = app.begin({ redirect_uri })
  const answer = await app.post('par', Object.fromEntries(parameters))
  expect(answer.status).toBe(400)
  expect(answer.body.error).toMatch(/^invalid_(request|redirect_uri)$/)
  expect(answer.body.request_uri).toBeUndefined()
})

test.each(wrong)('%s at sign-out is a page without Location: %s', async (_id, uri) => {
  const parameters = { client_id: app.id, post_logout_redirect_uri: uri }
  expectPage(await createBrowser(server).get(app.logoutUrl(parameters)))
  expectPage(await posted('logout', new URLSearchParams(parameters)))
})

test('RU-10: none at all is a page, though only one were registered', async () => {
  const single = await createApp(server, { preset: 'web' })
  const { url, parameters } = single.begin({ redirect_uri: undefined })
  expectPage(await createBrowser(server).get(url))
  expectPage(await posted('authorize', parameters))
  expect((await single.post('par', Object.fromEntries(parameters))).status).toBe(400)
})

test('RU-19: two of them, one good, is a page', async () => {
  const evil = encodeURIComponent('https://evil.com')
  const { url, parameters } = app.begin()
  expectPage(await createBrowser(server).get(`${url}&redirect_uri=${evil}`))
  expectPage(await createBrowser(server).get(url.replace('?', `?redirect_uri=${evil}&`)))
  const doubled = new URLSearchParams(parameters)
  doubled.append('redirect_uri', 'https://evil.com')
  expectPage(await posted('authorize', doubled))
})

test('RU-20: 32 KB are refused', async () => {
  const { parameters } = app.begin({
    redirect_uri: `https://app.example.com/cb?${'x'.repeat(32_768)}`,
  })
  expectPage(await posted('authorize', parameters))
})

test('exactly what was registered passes, its query too', async () => {
  for (const redirect_uri of registered) {
    const page = await createBrowser(server).get(app.begin({ redirect_uri }).url)
    expect(page.url).toContain('/sign-in/')
  }
})

test('a native app comes back on any port of the loopback address it registered, and nowhere else', async () => {
  const native = await createApp(server, {
    preset: 'native',
    redirectUris: ['http://127.0.0.1/cb', 'http://[::1]/cb'],
  })
  const land = async (redirect_uri: string) =>
    (await createBrowser(server).get(native.begin({ redirect_uri }).url)).url
  expect(await land('http://127.0.0.1:51004/cb')).toContain('/sign-in/')
  expect(await land('http://[::1]:9/cb')).toContain('/sign-in/')
  for (const uri of [
    'http://127.0.0.1:51004/other',
    'http://localhost:51004/cb',
    'https://127.0.0.1/cb',
  ]) {
    expectPage(await createBrowser(server).get(native.begin({ redirect_uri: uri }).url))
  }
  const web = await createApp(server, { preset: 'web', redirectUris: ['http://127.0.0.1:4000/cb'] })
  expectPage(
    await createBrowser(server).get(web.begin({ redirect_uri: 'http://127.0.0.1:4001/cb' }).url),
  )
})

/** Follows the 303 to the GET as a browser would. */
async function posted(endpoint: string, parameters: URLSearchParams) {
  const response = await fetch(`${origin}/oauth2/${endpoint}`, {
    method: 'POST',
    redirect: 'manual',
    body: parameters,
  })
  const location = response.headers.get('location')
  if (location) {
    expect(new URL(location, origin).origin).toBe(origin)
    return createBrowser(server).get(new URL(location, origin).href)
  }
  const { status, headers, url } = response
  return { status, headers, url, body: await response.text() }
}
