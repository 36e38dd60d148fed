/** Modules of the Basic plan about how an app asks: display, prompt, age of the sign-in, hints, languages, levels. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Parameters } from '../../support/relying-party.ts'
import type { Op } from './op.ts'

export function testAsking(op: Op): void {
  const { person, app, begin, browser, callback, deliver, redeem, grant } = op

  /** Again in the same browser; `asked` tells whether the password was asked for. */
  async function again(first: Awaited<ReturnType<typeof grant>>, parameters: Parameters) {
    const page = await first.visitor.get(begin(parameters).url)
    const asked = page.body.includes('id="password"')
    return { asked, second: await grant(parameters, first.visitor) }
  }

  test.each<[string, Parameters]>([
    ['oidcc-display-page', { display: 'page' }],
    ['oidcc-display-popup', { display: 'popup' }],
    ['oidcc-ensure-request-with-unknown-parameter-succeeds', { extra: 'foobar' }],
    ['oidcc-claims-locales', { claims_locales: 'se' }],
  ])('%s: %j changes nothing about the flow', async (_, parameters) => {
    expect((await grant(parameters)).claims.sub).toBeTruthy()
  })

  test('oidcc-alternate-happy-flow: scopes and parameters in another order', async () => {
    const request = begin({ scope: 'email openid' })
    const turned = new URLSearchParams([...request.parameters].toReversed())
    const url = `${request.url.split('?')[0]}?${turned}`
    const { code } = await callback(browser(), { ...request, url })
    const { body } = await redeem(code)
    expect((await app.userinfo(body.access_token)).body.email).toBe(person.email)
  })

  test('oidcc-prompt-login: who is signed in is asked again, and auth_time is new', async () => {
    const first = await grant({ max_age: '10000' })
    await sleep(1100)
    const { asked, second } = await again(first, { prompt: 'login', max_age: '10000' })
    expect(asked).toBe(true)
    expect(second.claims.sub).toBe(first.claims.sub)
    expect(Number(second.claims.auth_time)).toBeGreaterThan(Number(first.claims.auth_time))
  })

  test('oidcc-prompt-none-not-logged-in: login_required, without a page', async () => {
    const request = begin({ prompt: 'none' })
    const told = await deliver(await browser().get(request.url), request)
    expect(told.error).toBe('login_required')
    expect(told.code).toBeUndefined()
  })

  test('oidcc-prompt-none-logged-in: a code without a page, about the same sign-in', async () => {
    const first = await grant({ max_age: '10000' })
    const { asked, second } = await again(first, { prompt: 'none', max_age: '10000' })
    expect(asked).toBe(false)
    expect(second.claims).toMatchObject({
      sub: first.claims.sub,
      auth_time: first.claims.auth_time,
    })
  })

  test('oidcc-max-age-1: a sign-in of more than a second ago is made anew', async () => {
    const first = await grant()
    await sleep(2100)
    const { asked, second } = await again(first, { max_age: '1' })
    expect(asked).toBe(true)
    expect(second.claims.sub).toBe(first.claims.sub)
    expect(Math.abs(Number(second.claims.auth_time) - Date.now() / 1000)).toBeLessThan(30)
  })

  test('oidcc-max-age-10000: a younger one is good, and auth_time says which it was', async () => {
    const first = await grant({ max_age: '10000' })
    const { asked, second } = await again(first, { max_age: '10000' })
    expect(asked).toBe(false)
    expect(second.claims).toMatchObject({
      sub: first.claims.sub,
      auth_time: first.claims.auth_time,
    })
  })

  test('oidcc-id-token-hint: with prompt=none the person of the hint is answered for', async () => {
    const first = await grant()
    const { asked, second } = await again(first, {
      prompt: 'none',
      id_token_hint: first.body.id_token,
    })
    expect([asked, second.claims.sub]).toEqual([false, first.claims.sub])
  })

  test('oidcc-login-hint: the sign-in page has filled it in', async () => {
    const request = begin({ login_hint: person.email })
    const page = await browser().get(request.url)
    expect(page.body).toMatch(new RegExp(`<input[^>]*id="identifier"[^>]*value="${person.email}"`))
    expect((await callback(browser(), request)).code).toBeTruthy()
  })

  test('oidcc-ui-locales: pages in a language that we have, and in ours for all others', async () => {
    const page = await browser().get(begin({ ui_locales: 'se zh-CN' }).url)
    expect(page.body).toContain('<html lang="zh-CN"')
    const visitor = browser()
    expect((await visitor.get(begin({ ui_locales: 'se' }).url)).body).toContain('<html lang="en"')
    expect((await grant({ ui_locales: 'se' }, visitor)).claims.sub).toBeTruthy()
  })

  test('oidcc-ensure-request-with-acr-values-succeeds: known levels are answered, others ignored', async () => {
    expect((await grant({ acr_values: '1 2' })).claims.sub).toBeTruthy()
    expect((await grant({ acr_values: '1fa' })).claims.acr).toBe('1fa')
  })
}
