/** The ways people really go: two tabs, back and forth, twice on the button. None of them is a dead end. */
import { expect, test } from 'vitest'
import { picture, useBrowser } from '../support/browser.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { startApp } from './app.ts'
import { findAxeViolations } from './inspect.ts'
import { expectSignedIn, fillSignIn, goTo, register, signIn, signInPage } from './steps.ts'

const server = await startTestServer()
const library = await startApp(server, { name: 'Library', firstParty: true })
const board = await startApp(server, { name: 'Board', firstParty: true })
const stranger = await startApp(server, { name: 'Stranger' })
const browser = useBrowser()

const withoutScripts = { javaScriptEnabled: false }

test('two tabs that are filled in at once both end signed in', async () => {
  const person = await createPerson(server)
  const first = await browser.open()
  const second = await browser.openTab(first)
  await first.goto(`${library.origin}/sign-in`)
  await second.goto(`${board.origin}/sign-in`)
  await Promise.all([fillSignIn(first, person), fillSignIn(second, person)])

  await Promise.all([first.click('#continue'), second.click('#continue')])

  await expectSignedIn(first, library, person.username)
  await expectSignedIn(second, board, person.username)
})

test('a tab that waited while another signed in to the same app goes on as well', async () => {
  const person = await createPerson(server)
  const first = await browser.open()
  const second = await browser.openTab(first)
  await second.goto(`${library.origin}/sign-in`)
  await signIn(first, library, person)

  await fillSignIn(second, person)
  await second.click('#continue')

  await expectSignedIn(second, library, person.username)
})

test('a registration and a sign-in in two tabs do not disturb each other', async () => {
  const person = await createPerson(server)
  const first = await browser.open()
  const second = await browser.openTab(first)
  await first.goto(`${library.origin}/sign-in`)
  await first.click('#register')
  await register(first, 'two_tabs')
  await second.goto(`${board.origin}/sign-in`)
  await fillSignIn(second, person)
  await second.click('#continue')
  await expectSignedIn(second, board, person.username)

  await first.fill('#code', await server.mailedCode('two_tabs@example.org'))
  await first.click('#continue')

  await expectSignedIn(first, library, 'two_tabs')
})

test.each([{}, withoutScripts])(
  'going back after signing in leads on to the app: %o',
  async (options) => {
    const person = await createPerson(server)
    const page = await browser.open(options)
    await page.goto(library.origin)
    await page.click('#sign-in')
    await page.waitForURL(signInPage)
    await fillSignIn(page, person)
    await page.click('#continue')
    await expectSignedIn(page, library, person.username)

    await page.goBack()
    expect(page.url()).toMatch(signInPage)
    await page.click('#continue')

    await expectSignedIn(page, library, person.username)
  },
)

test('a form that is sent again from an old page leads on to the app', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  const old = await browser.openTab(page)
  await page.goto(`${library.origin}/sign-in`)
  await old.goto(page.url())
  await fillSignIn(page, person)
  await page.click('#continue')
  await expectSignedIn(page, library, person.username)

  await fillSignIn(old, person)
  await old.click('#continue')
  await old.waitForSelector('h1:text("This step is done")')
  await picture(old, 'already-done')
  expect(await findAxeViolations(old)).toEqual([])
  await old.click('#continue')

  await expectSignedIn(old, library, person.username)
})

test('reloading a refused sign-in keeps what was typed, and the right password still works', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await page.goto(`${library.origin}/sign-in`)
  await page.fill('#identifier', person.username)
  await page.fill('#password', 'not the password')
  await page.click('#continue')
  await page.waitForSelector('#error')
  await picture(page, 'refused')
  expect(await findAxeViolations(page)).toEqual([])

  await page.reload()
  expect(await page.textContent('#error')).toMatch(/not right/)
  expect(await page.inputValue('#identifier')).toBe(person.username)
  await page.fill('#password', person.password)
  await page.click('#continue')

  await expectSignedIn(page, library, person.username)
})

test('reloading after the form was sent sends nothing twice', async () => {
  const page = await browser.open()
  await page.goto(`${library.origin}/sign-in`)
  await page.click('#register')
  await register(page, 'reloads')
  const code = await server.mailedCode('reloads@example.org')

  await page.reload()
  expect(await server.mailedCode('reloads@example.org')).toBe(code)
  await page.fill('#code', code)
  await page.click('#continue')

  await expectSignedIn(page, library, 'reloads')
})

test.each([
  { scripts: 'with', options: {} },
  { scripts: 'without', options: withoutScripts },
])(
  'a double click on every button does everything once, $scripts scripts',
  async ({ scripts, options }) => {
    const page = await browser.open(options)
    const username = `double_${scripts}`
    await page.goto(`${stranger.origin}/sign-in`)
    await page.click('#register')
    await register(page, username, 'dblclick')
    await page.fill('#code', await server.mailedCode(`${username}@example.org`))
    await page.dblclick('#continue')
    await page.waitForURL(/\/consent$/)
    await page.dblclick('#continue')
    await expectSignedIn(page, stranger, username)
    await page.context().clearCookies()

    await page.goto(`${library.origin}/sign-in`)
    await page.fill('#identifier', username)
    await page.fill('#password', 'marble lantern otter')
    await page.dblclick('#continue')
    await expectSignedIn(page, library, username)
  },
)

test('whoever says no goes back to the app, which is told', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await goTo(page, 'consent', stranger, person)

  await page.click('#cancel')

  await page.waitForURL(`${stranger.origin}/callback?**`)
  expect(await page.textContent('#refused')).toBe('access_denied')
})

test.each([
  { scripts: 'by itself', options: {} },
  { scripts: 'by a button where scripts are off', options: withoutScripts },
])(
  'an answer by form_post reaches the app $scripts, and breaks no policy (WB-07)',
  async ({ options }) => {
    const person = await createPerson(server)
    const page = await browser.open(options)
    await page.goto(`${library.origin}/sign-in?response_mode=form_post`)
    await fillSignIn(page, person)
    await page.click('#continue')
    if (options === withoutScripts) await page.click('[type=submit]')

    await expectSignedIn(page, library, person.username)
  },
)

test('an app that opened the sign-in in a window of its own can still speak with that window', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await page.goto(library.origin)
  const opened = page.waitForEvent('popup')
  await page.evaluate(() => void window.open('/sign-in', 'sign-in', 'width=400,height=600'))
  const popup = await opened
  await fillSignIn(popup, person)
  await popup.click('#continue')
  await expectSignedIn(popup, library, person.username)

  expect(await popup.evaluate(() => window.opener?.location.href)).toBe(`${library.origin}/`)
})
