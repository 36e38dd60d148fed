/** The scopes address and phone, the claims parameter beside them, and that neither reaches beyond a client's scope. */
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { updateContact } from '../../src/accounts/contact.ts'
import { authorize, createBrowser, createPerson, isConsent } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const scope = 'openid profile email address phone offline_access'
const address = { street_address: '中关村大街27号', locality: '北京', country: '中国' }
const person = await createPerson(server)
const nobody = await createPerson(server)
let app: App

beforeAll(async () => {
  app = await createApp(server, { scope })
  const change = { address, phoneNumber: '+8613800138000' }
  await updateContact(db, person.id, change, { actor: { kind: 'operator' } })
})

const told = async (by: App, answer: Awaited<ReturnType<typeof authorize>>['answer']) => ({
  idToken: decodeJwt(answer.body.id_token ?? ''),
  userinfo: (await by.userinfo(answer.body.access_token)).body,
})

test('by scope: the address whole, the number as not verified, in both places', async () => {
  const { answer } = await authorize(createBrowser(server), app, person, {
    scope: 'openid address phone',
  })
  const { idToken, userinfo } = await told(app, answer)
  const claims = { address, phone_number: '+8613800138000', phone_number_verified: false }
  expect(userinfo).toEqual({ sub: person.id, ...claims })
  expect(idToken).toMatchObject(claims)
})

test('a proven number says so', async () => {
  const update = db.updateTable('accounts').where('id', '=', person.id)
  await update.set({ phoneNumberVerifiedAt: new Date() }).execute()
  const { answer } = await authorize(createBrowser(server), app, person, { scope: 'openid phone' })
  expect((await told(app, answer)).userinfo.phone_number_verified).toBe(true)
  await update.set({ phoneNumberVerifiedAt: null }).execute()
})

test('who has given neither is told of with neither, not with empty ones', async () => {
  const { answer } = await authorize(createBrowser(server), app, nobody, {
    scope: 'openid address phone',
  })
  const { idToken, userinfo } = await told(app, answer)
  expect(userinfo).toEqual({ sub: nobody.id })
  expect(Object.keys(idToken)).not.toEqual(expect.arrayContaining(['address']))
  expect(idToken).not.toHaveProperty('phone_number_verified')
})

test('by the claims parameter: one of them, where it was asked for', async () => {
  const { answer } = await authorize(createBrowser(server), app, person, {
    scope: 'openid',
    claims: JSON.stringify({
      userinfo: { phone_number: null },
      id_token: { address: { essential: true } },
    }),
  })
  const { idToken, userinfo } = await told(app, answer)
  expect(userinfo).toEqual({ sub: person.id, phone_number: '+8613800138000' })
  expect(idToken.address).toEqual(address)
  expect(idToken).not.toHaveProperty('phone_number')
})

test.each([
  [
    'en',
    ['Your postal address', '中关村大街27号', 'Your phone number', '+8613800138000, not verified'],
  ],
  ['zh-CN', ['通讯地址', '中国', '电话号码', '+8613800138000（未验证）']],
])('people are shown what an app will see, in %s', async (language, words) => {
  const browser = createBrowser(server, language)
  await authorize(browser, await createApp(server, { firstParty: true }), person)
  for (const parameters of [
    { scope: 'openid address phone' },
    {
      scope: 'openid',
      claims: JSON.stringify({ userinfo: { address: null, phone_number: null } }),
    },
  ]) {
    const fresh = await createApp(server, { scope })
    const page = await browser.get(fresh.begin(parameters).url)
    expect(isConsent(page)).toBe(true)
    for (const text of words) expect(page.body).toContain(text)
  }
})

test('an app that did not register the scope does not get it', async () => {
  const usual = await createApp(server)
  const request = usual.begin({ scope: 'openid phone' })
  const page = await createBrowser(server).get(request.url)
  expect(usual.answerOf(request, page)).toMatchObject({ error: 'invalid_scope' })
})

describe('what no scope of the client reaches', () => {
  const wanted = { email: { essential: true }, phone_number: null, groups: null, name: null }
  const claims = JSON.stringify({ userinfo: wanted, id_token: wanted })

  test('by an app of ours, which asks nobody', async () => {
    const small = await createApp(server, { scope: 'openid profile', firstParty: true })
    const browser = createBrowser(server)
    const { answer } = await authorize(browser, small, person, { scope: 'openid', claims })
    const { idToken, userinfo } = await told(small, answer)
    expect(userinfo).toEqual({ sub: person.id, name: person.username })
    for (const name of ['email', 'phone_number', 'groups']) expect(idToken).not.toHaveProperty(name)
    // It is as if it had not been asked: nobody is asked about it again and again.
    const again = small.begin({ scope: 'openid', claims, prompt: 'none' })
    expect(small.answerOf(again, await browser.get(again.url))).toHaveProperty('code')
  })

  test('pushed', async () => {
    const small = await createApp(server, { scope: 'openid', firstParty: true })
    const request = small.begin({ scope: 'openid', claims })
    const pushed = await small.post('par', Object.fromEntries(request.parameters))
    const parameters = { client_id: small.id, request_uri: String(pushed.body.request_uri) }
    const browser = createBrowser(server)
    await authorize(browser, small, person)
    const page = await browser.get(
      `${server.origin}/oauth2/authorize?${new URLSearchParams(parameters)}`,
    )
    const { body } = await small.redeem(request, small.answerOf(request, page).code)
    expect((await small.userinfo(body.access_token)).body).toEqual({ sub: person.id })
  })

  test('by another app only if the person agrees', async () => {
    const small = await createApp(server, { scope: 'openid' })
    const browser = createBrowser(server)
    await authorize(browser, small, person)
    const page = await browser.get(small.begin({ claims }).url)
    expect(isConsent(page)).toBe(true)
    expect(page.body).toContain('+8613800138000')
  })

  test('what is no object, or no claim at all, is answered as before', async () => {
    const small = await createApp(server, { scope: 'openid', firstParty: true })
    for (const odd of [
      '{"userinfo":null}',
      '{"userinfo":{"__proto__":null,"made_up":{}}}',
      '[]',
      'x',
    ]) {
      const page = await createBrowser(server).get(small.begin({ claims: odd }).url)
      expect(page.status).toBeLessThan(500)
    }
  })
})
