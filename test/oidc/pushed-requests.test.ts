/** Pushed authorization requests (RFC 9126): who may push, what counts, and that each is good for one answer. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { authorize, createBrowser, createPerson, signInAt, stepwise } from '../support/person.ts'
import { createApp, type Parameters, type Request } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin } = server
const { db } = server.database
const person = await createPerson(server)
const web = await createApp(server, { preset: 'web' })
const spa = await createApp(server, { preset: 'spa' })

/** Pushes the request; `url` is where the browser goes with it. */
async function push(to = web, parameters: Parameters = {}): Promise<Request & { uri: string }> {
  const request = to.begin(parameters)
  const { status, body } = await to.post('par', Object.fromEntries(request.parameters))
  expect(status).toBe(201)
  expect(Number(body.expires_in)).toBeLessThanOrEqual(60)
  const uri = String(body.request_uri)
  return { ...request, uri, url: urlOf(uri, to.id) }
}

function urlOf(uri: string, clientId: string, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ client_id: clientId, request_uri: uri, ...more })
  return `${origin}/oauth2/authorize?${query}`
}

test('a pushed request signs in as the same request in the address would', async () => {
  const visitor = createBrowser(server)
  const request = await push()
  const page = await visitor.get(request.url)
  const back = await signInAt(visitor, page, person)
  const { code } = web.answerOf(request, back)
  const { body } = await web.redeem(request, code)
  expect(body.scope).toBe('openid profile email groups offline_access')
  expect(body.refresh_token).toBeTruthy()
})

test('RO-09: after its answer it is refused by any door, a reload before it works', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, web, person)
  const request = await push(web, { prompt: 'login' })
  await visitor.get(request.url)
  const page = await visitor.get(request.url)
  const { code } = web.answerOf(request, await signInAt(visitor, page, person))
  expect(code).toBeTruthy()

  for (const browser of [visitor, createBrowser(server)]) {
    const again = await browser.get(request.url)
    expect(again.url).not.toContain('code=')
    expect(again.body + again.url).toMatch(/invalid_request_uri/)
  }
  const silent = await push(web, { prompt: 'none' })
  expect((await visitor.get(silent.url)).url).toContain('code=')
  expect((await visitor.get(silent.url)).url).not.toContain('code=')
})

test('RO-09: after a minute it is refused', async () => {
  const request = await push()
  await db
    .updateTable('pushedAuthorizationRequests')
    .set({ expiresAt: sql<Date>`now() - interval '6 seconds'` })
    .execute()
  const page = await createBrowser(server).get(request.url)
  expect(page.url).not.toContain('/sign-in/')
  expect(page.body + page.url).toMatch(/invalid_request_uri/)
})

test('a flow that outlives its pushed request still finishes', async () => {
  const visitor = createBrowser(server)
  const request = await push()
  const page = await visitor.get(request.url)
  await db
    .updateTable('pushedAuthorizationRequests')
    .set({ expiresAt: sql<Date>`now() - interval '100 seconds'` })
    .execute()
  const { code } = web.answerOf(request, await signInAt(visitor, page, person))
  expect((await web.redeem(request, code)).status).toBe(200)
})

test('RO-08: nobody pushes for a confidential app without its secret, and uris are not lent', async () => {
  const parameters = Object.fromEntries(web.begin().parameters)
  const unproven = await web.post('par', parameters, { authorization: '' })
  expect([400, 401]).toContain(unproven.status)
  const wrong = `Basic ${Buffer.from(`${web.id}:guess`).toString('base64')}`
  expect((await web.post('par', parameters, { authorization: wrong })).status).toBe(401)

  const request = await push()
  const borrowed = await createBrowser(server).get(urlOf(request.uri, spa.id))
  expect(borrowed.url).not.toContain('/sign-in/')
  expect(borrowed.body + borrowed.url).toMatch(/invalid_request/)
})

test('RO-07: a request_uri that nobody pushed is refused, and no packet leaves', async () => {
  const uris = [
    'http://169.254.169.254/',
    `${origin}/oauth2/jwks`,
    'urn:ietf:params:oauth:request_uri:unknown',
    'urn:example:made-up',
  ]
  for (const uri of uris) {
    const page = await createBrowser(server).get(
      `${web.begin().url}&request_uri=${encodeURIComponent(uri)}`,
    )
    expect(page.url).not.toContain('/sign-in/')
    expect(page.body + page.url).toMatch(/(invalid_request_uri|request_uri_not_supported)/)
  }
})

test('RO-11: what stands beside the request_uri is not used', async () => {
  const visitor = createBrowser(server)
  await authorize(visitor, web, person)
  const request = await push(web, { scope: 'openid' })
  const page = await visitor.get(
    urlOf(request.uri, web.id, {
      redirect_uri: 'https://evil.example/',
      scope: 'openid email offline_access',
      state: 'other',
    }),
  )
  expect(page.url).not.toContain('evil.example')
  if (page.url.startsWith(web.redirectUri)) {
    const { code } = web.answerOf(request, page)
    expect((await web.redeem(request, code)).body.scope).toBe('openid')
  }
})

test('RO-10, RC-05: two browsers with one pushed request get one code', async () => {
  for (let round = 0; round < rounds; round++) {
    const browsers = [createBrowser(server), createBrowser(server)]
    for (const browser of browsers) await authorize(browser, web, person)
    const request = await push()
    const pages = await Promise.all(browsers.map((browser) => browser.get(request.url)))
    expect(pages.filter(({ url }) => url.includes('code='))).toHaveLength(1)
    const [other] = pages.filter(({ url }) => !url.includes('code='))
    expect(other?.status).toBeLessThan(500)
  }
})

test('RC-05: two browsers that finish their sign-in for one pushed request at once get one code', async () => {
  for (let round = 0; round < rounds; round++) {
    const request = await push()
    const resumes = []
    for (const visitor of [createBrowser(server), createBrowser(server)]) {
      await visitor.get(urlOf(request.uri, web.id))
      const page = await visitor.get(request.url)
      const fields = { identifier: person.username, password: person.password }
      resumes.push({ visitor, ...(await stepwise(visitor).press(page, 'continue', fields)) })
    }
    const pages = await Promise.all(resumes.map(({ visitor, url }) => visitor.get(url)))
    expect(pages.filter(({ url }) => url.includes('code='))).toHaveLength(1)
  }
})

test('while a person signs in its id stands nowhere in clear, and its answer spends it all the same', async () => {
  const visitor = createBrowser(server)
  const request = await push(web)
  const page = await visitor.get(request.url)
  const id = request.uri.split(':').at(-1) ?? ''
  const hex = [Buffer.from(id).toString('hex'), Buffer.from(id, 'base64url').toString('hex')]
  const rows = await db
    .selectFrom('interactions')
    .select(sql<string>`interactions::text`.as('text'))
    .execute()
  const text = rows.map((row) => row.text).join()
  expect(text).toContain('parJtiSealed')
  for (const trace of [id, ...hex]) expect(text).not.toContain(trace)
  const { code } = web.answerOf(request, await signInAt(visitor, page, person))
  expect(code).toBeTruthy()
  const again = await visitor.get(request.url)
  expect(again.body + again.url).toMatch(/invalid_request_uri/)
})
