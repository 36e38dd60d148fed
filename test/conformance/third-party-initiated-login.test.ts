/**
 * oidcc-3rdparty-init-login-certification-test-plan (OpenID Connect Core §4): where an app begins a sign-in that others ask it for. The
 * suite registers its apps itself, which takes a token of an admin here.
 */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createBrowser, signInAt } from '../support/person.ts'
import { createApp, createPerson, startListener } from './cast.ts'
import { startProvider } from './support.ts'

const provider = await startProvider()
const { origin } = provider
const loginUri = 'https://app.example.com/initiate_login_uri'
const [person, made] = await Promise.all([
  createPerson(provider, 'ada'),
  provider.idp(['registration-tokens', 'create', 'Suite', '--uses', '10', '--json']),
])
const { token } = (JSON.parse(made.stdout) as { registration_token: { token: string } })
  .registration_token

type Registered = Record<string, string | undefined>

async function register(
  metadata: object,
): Promise<{ status: number; type: string | null; body: Registered }> {
  const answer = await fetch(`${origin}/oauth2/register`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['https://app.example.com/callback'], ...metadata }),
  })
  const body = (await answer.json()) as Registered
  return { status: answer.status, type: answer.headers.get('content-type'), body }
}

test('oidcc-3rd_party-init-login: the address comes back where it was registered and where it is managed', async () => {
  const { status, body } = await register({ initiate_login_uri: loginUri })
  expect([status, body.initiate_login_uri]).toEqual([201, loginUri])
  const headers = { authorization: `Bearer ${body.registration_access_token}` }
  const answer = await fetch(String(body.registration_client_uri), { headers })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toContain('application/json')
  expect(await answer.json()).toMatchObject({ initiate_login_uri: loginUri })
})

test.each(['http://app.example.com/login', 'http://localhost/login'])(
  'oidcc-3rd_party-init-login-nohttps: %s is refused, by registration and by the command',
  async (uri) => {
    const { status, type, body } = await register({ initiate_login_uri: uri })
    expect([status, type, body.error]).toEqual([
      400,
      expect.stringContaining('application/json'),
      'invalid_client_metadata',
    ])
    const create = ['clients', 'create', 'Plain', '--preset', 'generic']
    const address = ['--redirect-uri', 'https://app.example.com/callback']
    const ran = await provider.idp([...create, ...address, '--initiate-login-uri', uri])
    expect([ran.code, ran.stderr.includes('--initiate-login-uri')]).toEqual([5, true])
  },
)

test('we are such a third party: who comes too late is sent to the app, which begins anew', async () => {
  const listening = await startListener(provider)
  const ownUri = `${listening.origin}/initiate_login_uri`
  const app = await createApp(provider, ['--preset', 'generic', '--initiate-login-uri', ownUri])
  const visitor = createBrowser(provider)
  const page = await visitor.get(app.begin().url)
  await provider.database.db
    .updateTable('interactions')
    .set({ expiresAt: sql<Date>`now() - interval '1 second'` })
    .execute()
  const late = await visitor.press(page, 'continue', { identifier: 'ada', password: 'whatever' })
  const there = await visitor.follow(late, 'continue')
  const named = `/initiate_login_uri?${new URLSearchParams({ iss: origin })}`
  expect([there.status, listening.heard.map(({ path }) => path)]).toEqual([200, [named]])

  const request = app.begin()
  const back = await signInAt(visitor, await visitor.get(request.url), person)
  const { code } = app.answerOf(request, back)
  expect((await app.redeem(request, code)).status).toBe(200)
})
