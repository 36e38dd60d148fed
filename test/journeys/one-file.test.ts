/** From an empty deployment to a working one by `idp apply -f letuslearn.yaml`: each of its apps gets its tokens. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { createIdp } from '../cli/support.ts'
import { authorize, createBrowser, createPerson, obtainCode } from '../support/person.ts'
import { playApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { origin, config } = server
const secrets = {
  CLOUDREVE_SECRET: 'c'.repeat(64),
  LMS_SECRET: 'l'.repeat(64),
  IMPORTER_SECRET: 'i'.repeat(64),
}
const idp = createIdp(server.database.url, {
  ISSUER: config.issuer,
  DATA_DIR: config.dataDir,
  ...secrets,
})
const example = new URL('../../deploy/examples/letuslearn.yaml', import.meta.url).pathname
const courses = 'https://courses.letuslearn.now'

test('one file makes a house in which four apps get their tokens', async () => {
  const applied = await idp(['apply', '-f', example, '--json'])
  expect(applied, applied.stderr).toMatchObject({ code: 0 })
  expect((await idp(['plan', '-f', example])).code).toBe(0)
  await expect
    .poll(async () => (await fetch(`${origin}/register`)).text(), { timeout: 4000 })
    .toContain('Let us learn')

  const { clients } = parse((await idp(['clients', 'list', '--json'])).stdout)
  const play = (id: string, secret?: string) => {
    const client = clients.find((one: { client_id: string }) => one.client_id === id)
    const { token_endpoint_auth_method: method, redirect_uris: uris, scope } = client
    const [redirectUri = ''] = uris
    return playApp({ origin, id, secret, method, scope, redirectUri })
  }
  const keys = (await (await fetch(`${origin}/oauth2/jwks`)).json()) as JSONWebKeySet
  const keySet = createLocalJWKSet(keys)
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const signedIn = async (app: ReturnType<typeof play>, parameters = {}) => {
    const { answer } = await authorize(visitor, app, person, parameters)
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 })
    await jwtVerify(answer.body.id_token ?? '', keySet, { issuer: origin, audience: app.id })
    return answer.body
  }

  await signedIn(play('cloudreve', secrets.CLOUDREVE_SECRET))
  await signedIn(play('lms-gateway', secrets.LMS_SECRET))
  const timetable = play('timetable')
  const { request, code } = await obtainCode(visitor, timetable, person, {
    scope: 'openid profile courses:read',
    resource: courses,
  })
  const { body } = await timetable.redeem(request, code, { resource: courses })
  const { payload } = await jwtVerify(body.access_token ?? '', keySet, { audience: courses })
  expect(payload).toMatchObject({ sub: person.id, scope: 'courses:read' })

  const importer = play('importer', secrets.IMPORTER_SECRET)
  const own = await importer.post('token', {
    grant_type: 'client_credentials',
    resource: courses,
    scope: 'courses:read courses:write',
  })
  expect(own).toMatchObject({ status: 200, body: { scope: 'courses:read courses:write' } })
})

test('an app that the file takes away is gone from a running server', async () => {
  const exported = parse((await idp(['export'])).stdout)
  const less = { ...exported, clients: exported.clients.slice(0, 3) }
  const applied = await idp(['apply', '-f', '-', '--prune'], { stdin: JSON.stringify(less) })
  expect(applied, applied.stderr).toMatchObject({ code: 0 })
  await expect
    .poll(
      async () => {
        const credentials = `importer:${secrets.IMPORTER_SECRET}`
        const answer = await fetch(`${origin}/oauth2/token`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
          body: new URLSearchParams({ grant_type: 'client_credentials' }),
        })
        return answer.status
      },
      { timeout: 4000 },
    )
    .toBe(401)
})
