/** An app that lets only some people in: who is told what, and that no way round it gives a token. */
import { expect, test } from 'vitest'
import { createApi } from '../../src/clients/apis.ts'
import { getClient } from '../../src/clients/clients.ts'
import { allowExchange } from '../../src/clients/exchanges.ts'
import { createIssuer } from '../../src/clients/issuers.ts'
import { randomToken } from '../../src/crypto.ts'
import { setClientAccess } from '../../src/roles/client-access.ts'
import { addMember, createGroup, removeMember } from '../../src/roles/groups.ts'
import { grantRole, revokeRole } from '../../src/roles/holders.ts'
import { createRole } from '../../src/roles/roles.ts'
import { auditOf } from '../support/audit.ts'
import { createKey } from '../support/client-keys.ts'
import { askForCode, connect, poll, typeCode } from '../support/device.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  obtainCode,
  type Person,
  signInAt,
} from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({ env: { SUPPORT_EMAIL: 'help@example.org' } })
const { db, pool } = server.database
const by = { actor: { kind: 'operator' } } as const
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

await createRole(db, { name: 'staff' }, by)
await createGroup(db, { name: 'Desk' }, by)

async function limited(...input: Parameters<typeof createApp>[1][]): Promise<App> {
  const app = await createApp(server, ...input)
  await setClientAccess(db, app.id, { roles: ['staff'], groups: ['desk'] }, by)
  return app
}

const payroll = await limited({ name: 'Payroll' })
const ada = await createPerson(server, { roles: ['staff'] })
const bob = await createPerson(server)

async function arrive(app: App, person: Person, parameters = {}) {
  const browser = createBrowser(server)
  const request = app.begin(parameters)
  const page = await signInAt(browser, await browser.get(request.url), person)
  return { browser, request, page }
}

test('whoever holds the role or is in the group comes in', async () => {
  expect((await authorize(createBrowser(server), payroll, ada)).answer.status).toBe(200)
  const carol = await createPerson(server)
  await addMember(db, 'Desk', carol.id, by)
  expect((await authorize(createBrowser(server), payroll, carol)).answer.status).toBe(200)
})

test('anybody else is told whom to ask, in their language, and the app is told on the way back', async () => {
  const { browser, request, page } = await arrive(payroll, bob)
  expect(page.url).toMatch(/\/no-access$/)
  expect(page.status).toBe(403)
  expect(page.body).toContain('Payroll')
  expect(page.body).toContain('help@example.org')
  expect((await browser.get(`${page.url}?ui_locales=zh-CN`)).body).toContain('未对你开放')
  const back = await browser.press(page, 'cancel')
  expect(payroll.answerOf(request, back)).toMatchObject({ error: 'access_denied' })
  expect(await pool.query('select from grants where account_id = $1', [bob.id])).toMatchObject({
    rowCount: 0,
  })
})

test('they may go on as somebody else', async () => {
  const { browser, request, page } = await arrive(payroll, bob)
  const form = await browser.get(page.url.replace('/no-access', ''))
  expect(page.body).toContain(`href="${new URL(form.url).pathname}"`)
  const end = await signInAt(browser, form, ada)
  expect(payroll.answerOf(request, end).code).toBeTruthy()
})

test('no other page of the flow lets them past', async () => {
  const { browser, page } = await arrive(payroll, bob)
  const consent = await browser.get(page.url.replace('no-access', 'consent'))
  expect(consent.url).toMatch(/\/no-access$/)
  const flow = page.url.split('/').at(-2)
  const resumed = await browser.get(`${server.origin}/oauth2/authorize/${flow}`)
  expect(resumed.url).not.toMatch(/[?&]code=/)
  expect(isConsent(resumed)).toBe(false)
})

test('nobody is asked where nobody may be: prompt=none is refused', async () => {
  const open = await createApp(server)
  const browser = createBrowser(server)
  await authorize(browser, open, bob)
  const request = payroll.begin({ prompt: 'none' })
  const { error } = payroll.answerOf(request, await browser.get(request.url))
  expect(error).toBe('access_denied')
})

test('our own apps, which ask for no consent, are closed as well', async () => {
  const own = await limited({ firstParty: true })
  expect((await arrive(own, bob)).page.url).toMatch(/\/no-access$/)
})

test('who loses the role loses session part, refresh, opaque and half-done tokens at once', async () => {
  const eve = await createPerson(server, { roles: ['staff'] })
  const holder = { kind: 'account', id: eve.id } as const
  const scope = 'openid offline_access'
  const browser = createBrowser(server)
  const { answer } = await authorize(browser, payroll, eve, { scope })
  const pending = await obtainCode(browser, payroll, eve, { scope })
  await revokeRole(db, 'staff', holder, by)
  expect((await payroll.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
  expect((await payroll.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await payroll.introspect(answer.body.access_token)).body).toEqual({ active: false })
  expect((await payroll.redeem(pending.request, pending.code)).body.error).toBe('invalid_grant')
  const again = payroll.begin()
  expect((await browser.get(again.url)).url).toMatch(/\/no-access$/)
})

test('a token that was written while the role was taken is worth nothing either', async () => {
  const eve = await createPerson(server, { roles: ['staff'] })
  const { answer } = await authorize(createBrowser(server), payroll, eve, {
    scope: 'openid offline_access',
  })
  // As if the removal had not seen the grant: the rows stay.
  await pool.query('delete from account_roles where account_id = $1', [eve.id])
  expect((await payroll.userinfo(answer.body.access_token)).status).toBe(401)
  expect((await payroll.introspect(answer.body.access_token)).body).toEqual({ active: false })
  expect((await payroll.refresh(answer.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('closing an app ends what the others have there, and nobody else’s', async () => {
  const app = await createApp(server)
  const [inside, outside] = [
    await authorize(createBrowser(server), app, ada),
    await authorize(createBrowser(server), app, bob),
  ]
  await setClientAccess(db, app.id, { roles: ['staff'] }, by)
  expect((await app.userinfo(outside.answer.body.access_token)).status).toBe(401)
  expect((await app.userinfo(inside.answer.body.access_token)).status).toBe(200)
  expect((await auditOf(db, 'client.access_changed', app.id))[0]?.detail).toMatchObject({
    before: { roles: [], groups: [] },
    after: { roles: ['staff'], groups: [] },
  })
  expect(await setClientAccess(db, app.id, { roles: ['staff'] }, by)).toBe(false)
})

test('a role of another app opens nothing', async () => {
  const [app, other] = [await createApp(server), await createApp(server)]
  await createRole(db, { name: 'boss', clientId: other.id }, by)
  await expect(
    setClientAccess(db, app.id, { roles: [`${other.id}/boss`] }, by),
  ).rejects.toMatchObject({ code: 'role_elsewhere' })
  await createRole(db, { name: 'boss', clientId: app.id }, by)
  await setClientAccess(db, app.id, { roles: [`${app.id}/boss`] }, by)
  await grantRole(db, `${other.id}/boss`, { kind: 'account', id: bob.id }, by)
  expect((await arrive(app, bob)).page.url).toMatch(/\/no-access$/)
})

test('token exchange, native sign-in and the backchannel give nothing round the page', async () => {
  const [front, files] = ['https://front.example.com', 'https://files.example.com']
  for (const identifier of [front, files]) await createApi(db, { identifier, scopes: ['read'] }, by)
  const open = await createApp(server, { apis: [front] })
  const gateway = await limited({ preset: 'service', apis: [front, files] })
  const client = await getClient(db, gateway.id)
  await allowExchange(db, { client, audience: files, mode: 'impersonation', scopes: ['read'] }, by)
  const exchange = async (person: Person) => {
    const own = { resource: front, scope: 'openid read' }
    const { request, code } = await obtainCode(createBrowser(server), open, person, own)
    const given = await open.redeem(request, code, { resource: front })
    const { body } = await gateway.post('token', {
      grant_type: tokenExchange,
      subject_token: given.body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource: files,
    })
    return body
  }
  expect(await exchange(bob)).toMatchObject({ error: 'access_denied' })
  expect(await exchange(ada)).toHaveProperty('access_token')

  const native = await limited({ preset: 'native', firstParty: true, authorizationChallenge: true })
  const asked = native.begin()
  const challenge = await native.post('authorize-challenge', {
    client_id: native.id,
    redirect_uri: native.redirectUri,
    response_type: 'code',
    scope: 'openid',
    code_challenge: asked.parameters.get('code_challenge') ?? '',
    code_challenge_method: 'S256',
    username: bob.username,
    password: bob.password,
  })
  expect(challenge.body).toMatchObject({ error: 'access_denied' })

  const backchannel = await limited({
    grantTypes: ['authorization_code', 'refresh_token', 'urn:openid:params:grant-type:ciba'],
  })
  const question = await backchannel.post('bc-authorize', {
    scope: 'openid',
    login_hint: bob.username,
  })
  expect(question.status).toBe(400)
  expect(question.body.auth_req_id).toBeUndefined()
})

test('a device is told no, and its person why', async () => {
  const tv = await limited({ preset: 'device' })
  const shown = await askForCode(tv)
  const browser = createBrowser(server)
  const asked = await browser.press(await typeCode(browser, shown), 'continue')
  const page = await signInAt(browser, asked, bob)
  expect(page.url).toMatch(/\/no-access$/)
  await browser.press(page, 'cancel')
  expect((await poll(tv, shown)).body).toMatchObject({ error: 'access_denied' })
})

test('a device whose person lost the role before it asked gets nothing', async () => {
  const tv = await limited({ preset: 'device' })
  const eve = await createPerson(server, { roles: ['staff'] })
  const shown = await askForCode(tv)
  await connect(createBrowser(server), shown, eve)
  await revokeRole(db, 'staff', { kind: 'account', id: eve.id }, by)
  expect((await poll(tv, shown)).body.access_token).toBeUndefined()
})

test('somebody else’s word about a person opens nothing', async () => {
  const key = await createKey()
  const service = await limited({ preset: 'service', apis: ['https://front.example.com'] })
  const issuer = 'https://partner.example.com'
  const made = await createIssuer(
    db,
    {
      issuer,
      jwks: { keys: [key.publicJwk] },
      algorithms: ['ES256'],
      subject: 'account',
      scopes: ['read'],
      maxLifetimeSeconds: 300,
      clients: [await getClient(db, service.id)],
    },
    by,
  )
  expect(made).toMatchObject({ ok: true })
  const ask = async (sub: string) => {
    const now = Math.floor(Date.now() / 1000)
    const aud = server.origin
    const times = { iat: now, exp: now + 60 }
    const assertion = await key.sign({ iss: issuer, sub, aud, jti: randomToken(), ...times })
    const { body } = await service.post('token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion,
      resource: 'https://front.example.com',
      scope: 'read',
    })
    return body
  }
  expect(await ask(ada.id)).toHaveProperty('access_token')
  expect(await ask(bob.id)).toMatchObject({ error: 'access_denied' })
})

test('members of a group who leave it are out', async () => {
  const eve = await createPerson(server)
  await addMember(db, 'Desk', eve.id, by)
  const { answer } = await authorize(createBrowser(server), payroll, eve)
  await removeMember(db, 'Desk', eve.id, by)
  expect((await payroll.userinfo(answer.body.access_token)).status).toBe(401)
})
