/** OA-18: what can be nested is nested as deep as a body allows; the process and the person's sign-in live on. */
import { expect, test } from 'vitest'
import { createBrowser, createPerson } from '../support/person.ts'
import { byReference, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const app = await createApp(server)

const spa = await createApp(server, { preset: 'spa' })

const nested = (objects: number, arrays: number) => ({
  objects: `${'{"a":'.repeat(objects)}1${'}'.repeat(objects)}`,
  arrays: `${'['.repeat(arrays)}${']'.repeat(arrays)}`,
})
const nests = nested(8000, 25_000)
/** What is kept of a posted request is less than a body may hold. */
const kept = nested(2000, 9000)

/** Not escaped, so that as much as possible has room in a body of 56 KB. */
const post = (endpoint: string, parameters: URLSearchParams, nest: string) =>
  fetch(`${origin}/oauth2/${endpoint}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `${parameters}&claims={"id_token":{"email":{"value":${nest}}}}`,
  })

for (const [kind, nest] of Object.entries(nests)) {
  test(`OA-18: ${kind} within ${kind}, posted, on the whole way to the tokens`, async () => {
    const person = await createPerson(server)
    const request = app.begin()
    expect((await post('authorize', request.parameters, nest)).status).toBe(413)
    const smaller = kept[kind as keyof typeof kept]
    const posted = await post('authorize', request.parameters, smaller)
    expect(posted.status).toBe(303)
    const browser = createBrowser(server)
    const page = await browser.get(new URL(posted.headers.get('location') ?? '/', origin).href)
    expect(page.status).toBeLessThan(500)
    if (!page.url.includes('/sign-in/')) return
    const { username: identifier, password } = person
    const next = await browser.press(page, 'continue', { identifier, password })
    expect(next.status).toBeLessThan(500)
    const end = next.url.endsWith('/consent') ? await browser.press(next, 'continue') : next
    expect(end.status).toBeLessThan(500)
    const code = new URL(end.url).searchParams.get('code')
    if (code) expect((await app.redeem(request, code)).status).toBeLessThan(500)
  })

  test(`OA-18: ${kind} within ${kind}, pushed`, async () => {
    const request = spa.begin()
    const pushed = await post('par', request.parameters, nest)
    expect(pushed.status).toBeLessThan(500)
    const { request_uri: uri } = (await pushed.json()) as { request_uri?: string }
    if (!uri) return
    const page = await createBrowser(server).get(byReference(spa, request, uri).url)
    expect(page.status).toBeLessThan(500)
  })
}
