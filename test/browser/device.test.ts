/** A phone without scripts, 360 px wide: a device's code, and an app's question, from the first page to the last. */
import { expect, test } from 'vitest'
import { ask, pollFor } from '../support/asking-app.ts'
import { picture, useBrowser } from '../support/browser.ts'
import { askForCode, poll } from '../support/device.ts'
import { createPerson } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { findAxeViolations, findSidewaysScroll } from './inspect.ts'
import { fillSignIn, signInPage } from './steps.ts'

const server = await startTestServer()
const tv = await createApp(server, { preset: 'device', name: 'Living room TV' })
const till = await createApp(server, { preset: 'ciba', name: 'Library desk' })
const browser = useBrowser()
const phone = { viewport: { width: 360, height: 740 }, javaScriptEnabled: false }

test('the code of a TV, typed on a phone', async () => {
  const person = await createPerson(server)
  const page = await browser.open({ ...phone, javaScriptEnabled: true })
  const look = async (name: string) => {
    await picture(page, `device-${name}`)
    expect(await findAxeViolations(page), name).toEqual([])
    expect(await findSidewaysScroll(page), name).toEqual([])
  }
  const shown = await askForCode(tv)
  await page.goto(shown.uri)
  await look('form')
  await page.fill('#user_code', shown.userCode.toLowerCase().replace('-', ' '))
  await page.click('#continue')
  await page.waitForSelector('h1:text("Connect Living room TV?")')
  await look('question')
  await page.click('#continue')
  await page.waitForURL(signInPage)
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.waitForURL(/\/consent$/)
  await page.click('#continue')
  await page.waitForSelector('h1:text("Your device is connected")')
  await look('connected')
  expect((await poll(tv, shown)).status).toBe(200)

  await page.setViewportSize({ width: 900, height: 900 })
  await page.goto(shown.complete)
  await page.click('summary')
  await look('filled')
})

test('without scripts: the code, and a question of an app', async () => {
  const person = await createPerson(server)
  const page = await browser.open(phone)
  const shown = await askForCode(tv)
  await page.goto(shown.complete)
  expect(await page.inputValue('#user_code')).toBe(shown.userCode)
  await page.click('#continue')
  await page.click('#continue')
  await fillSignIn(page, person)
  await page.click('#continue')
  await page.click('#continue')
  await page.waitForSelector('h1:text("Your device is connected")')
  expect((await poll(tv, shown)).status).toBe(200)

  const question = await ask(till, { login_hint: person.username, binding_message: 'Desk 4' })
  await page.goto(`${server.origin}/account`)
  await page.click('#requests')
  await page.waitForSelector('h2:text("Library desk asks to sign you in")')
  await picture(page, 'question-one')
  await page.click('button[id^="continue-"]')
  await page.waitForSelector('text=Library desk is told that you said yes.')
  expect((await pollFor(till, question)).status).toBe(200)
})
