/**
 * AD-12, IN-08: what opens something and comes from outside, or goes there (invitations, recovery links, upstreams,
 * webhooks, answers that are kept for a repetition), stands nowhere in clear and in no log.
 */
import { beforeAll, expect, test } from 'vitest'
import { createInvite } from '../../src/invites/invites.ts'
import { createWebhook, updateWebhook } from '../../src/webhooks/webhooks.ts'
import { signIn } from '../api/admin/world.ts'
import { createIdp } from '../cli/support.ts'
import { createCanaries } from '../support/canaries.ts'
import { keyringOf } from '../support/factors.ts'
import { createFake } from '../support/fake-upstream.ts'
import { eventually } from '../support/logout-app.ts'
import { createBrowser } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { addProvider } from '../support/upstream.ts'
import { startReceiver } from '../support/webhook-receiver.ts'

const receiver = await startReceiver()
const fake = await createFake()
const server = await startTestServer({
  env: {
    LOG_LEVEL: 'trace',
    REGISTRATION: 'invite',
    ALLOW_PRIVATE_TARGETS: `${receiver.target},127.0.0.0/8`,
  },
})
const { origin } = server
const { db, pool, url } = server.database
const keyring = keyringOf(server)
const by = { actor: { kind: 'operator' } } as const
const { keep, keepCookies, expectNone, expectNoneStored } = createCanaries()
const password = 'correct horse of mine'

beforeAll(async () => {
  const providerSecret = 'a-secret-that-the-upstream-gave'
  await addProvider(server, { issuer: fake.issuer, secret: providerSecret, trustEmail: true })
  const { secret, webhook } = await createWebhook(
    { db, keyring },
    { url: receiver.url, events: ['*'] },
    by,
  )
  receiver.secret = secret
  const rotated = await updateWebhook({ db, keyring }, webhook.id, { rotate: true }, by)
  for (const each of [secret, rotated?.secret]) keep('webhook secret', each?.replace('whsec_', ''))
  keep('provider secret', providerSecret)

  // By an invitation that came by mail, after a wrong code.
  const visitor = createBrowser(server)
  const email = 'guest@example.org'
  const { code: invite } = await createInvite(
    { db, keyring },
    { uses: 1, lifetimeSeconds: 3600, roles: [], email, sendIn: 'en' },
    by,
  )
  keep('invitation', invite)
  keep('invitation', invite.replaceAll('-', ''))
  await visitor.get(`${origin}/register?invite=${invite}&ui_locales=zh-CN`)
  const form = await visitor.get(`${origin}/register?invite=${invite}`)
  const gustav = { username: 'gustav', email, password }
  const refused = await visitor.press(form, 'continue', {
    ...gustav,
    invite: '0000-0000-0000-0000',
  })
  expect(refused.status).toBe(422)
  const proof = await visitor.press(refused, 'continue', { ...gustav, invite })
  expect([proof.url, proof.error]).toEqual([expect.stringContaining('verify-email'), undefined])
  const code = await server.mailedCode(email)
  await visitor.press(proof, 'continue', { code })
  keep('mailed code', code)
  keepCookies(visitor)

  // A link from the operator, looked at and pressed.
  const idp = createIdp(url, { ISSUER: origin })
  for (const use of [true, false]) {
    const { stdout } = await idp(['users', 'recover', 'gustav'])
    const token = new URL(stdout.trim()).searchParams.get('token')
    keep('recovery token', token ?? undefined)
    const page = await visitor.get(stdout.trim())
    if (use) await visitor.press(page, 'continue', { new_password: 'another harbour of the north' })
  }

  // An upstream: one way back that is good, one that is refused with words of its own.
  for (const good of [true, false]) {
    const comer = createBrowser(server)
    const away = await comer.press(await comer.get(`${origin}/sign-in`), 'with-work')
    fake.asked = new URL(away.url).searchParams
    const upstreamCode = `upstream-code-${good}-abcdefgh`
    fake.next = {
      status: good ? 200 : 400,
      ...(good ? {} : { body: { error: 'invalid_grant', error_description: upstreamCode } }),
      idToken: async (claims) => {
        const token = await fake.sign(claims)
        keep('upstream ID token', token)
        return token
      },
    }
    const state = fake.asked.get('state') ?? ''
    for (const name of ['state', 'nonce']) keep(name, fake.asked.get(name) ?? undefined)
    const query = new URLSearchParams({ code: upstreamCode, state, iss: fake.issuer })
    await comer.get(`${origin}/sign-in/callback/work?${query}`)
    keep('upstream code', upstreamCode)
    keep('upstream verifier', fake.posted.at(-1)?.get('code_verifier') ?? undefined)
    keepCookies(comer)
  }
  keep('upstream access token', 'upstream-access-token')

  // An admin's program, whose answers are kept for a repetition.
  const app = await createApp(server, { scope: 'openid account admin:read admin:write' })
  const admin = await signIn(server, app, { username: 'root', roles: ['admin'] })
  keep('access token', admin.token)
  const post = async (path: string, body: unknown) => {
    const response = await fetch(`${origin}/api/admin${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${admin.token}`,
        'content-type': 'application/json',
        'idempotency-key': `key of ${path}`.replaceAll(/\W/g, '-'),
      },
      body: JSON.stringify(body),
    })
    expect(response.status).toBe(201)
    return (await response.json()) as Record<string, string>
  }
  const made = await post('/clients', { client_name: 'Made', preset: 'service' })
  keep('client secret', made.client_secret)
  keep('invitation', (await post('/invites', { uses: 3 })).code)
  const hook = await post('/webhooks', { url: 'https://hooks.example.com/', events: ['*'] })
  keep('webhook secret', hook.secret?.replace('whsec_', ''))
  await eventually(() => (receiver.heard.length >= 3 ? receiver.heard : undefined))
})

test('AD-12: none stands in the database', async () => {
  await expectNoneStored(pool)
})

test('IN-08: none stands in the log, at its most talkative', () => {
  expect(server.log.length).toBeGreaterThan(25)
  expectNone('the log', server.log.join('\n'))
})

test('IN-12: none stands in what webhooks are told', () => {
  expectNone('webhooks', receiver.heard.map(({ body }) => body).join('\n'))
})
