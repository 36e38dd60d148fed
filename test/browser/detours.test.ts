/** The ways people really go: two tabs, back and forth, twice on the button, too late, on another device. No dead ends. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { picture, stopClock, useBrowser } from '../support/browser.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { type BrowserApp, startApp } from './app.ts'
import { findAxeViolations } from './inspect.ts'

const server = await startTestServer()
const library = await startApp(server, { name: 'Library', firstParty: true })
const board = await startApp(server, { name: 'Board', firstParty: true })
const stranger = await startApp(server, { name: 'Stranger' })
const browser = useBrowser()

const signInPage = /\/sign-in\/[\w-]+$/
const withoutScripts = { javaScriptEnabled: false }

async function fillSignIn(page: Page, { username, password }: Person): Promise<void> {
  await page.fill('#identifier', username)
  await page.fill('#password', password)
}

/** From the app's link to the app's greeting. */
async function signIn(page: Page, app: BrowserApp, person: Person): Promise<void> {
  await page.goto(`${app.origin}/sign-in`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await expectSignedIn(page, app, person.username)
}

async function expectSignedIn(page: Page, app: BrowserApp, username: string): Promise<void> {
  await page.waitForURL(`${app.origin}/`)
  expect(await page.textContent('#person')).toBe(username)
}

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

async function register(page: Page, username: string, button: 'click' | 'dblclick' = 'click') {
  await page.fill('#username', username)
  await page.fill('#email', `${username}@example.org`)
  await page.fill('#password', 'marble lantern otter')
  await page[button]('#continue')
  await page.waitForURL(/\/verify-email$/)
}

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

test.each(['sign-in', 'consent'])(
  'a flow that expired on its %s page continues to the app',
  async (step) => {
    const person = await createPerson(server)
    const page = await browser.open()
    await goTo(page, step, person)
    await server.database.pool.query(
      `update interactions set expires_at = now() - interval '1 second' where id_hash = sha256($1)`,
      [/\/sign-in\/([^/?]+)/.exec(page.url())?.[1]],
    )

    await page.click('#continue')
    await page.waitForSelector('h1:text("That took a while")')
    await picture(page, 'expired')
    expect(await page.textContent('#continue')).toBe('Continue to Stranger')
    await page.click('#continue')

    if (step !== 'consent') {
      await page.waitForURL(signInPage)
      await fillSignIn(page, person)
      await page.click('#continue')
    }
    await page.waitForURL(/\/consent$/)
    await page.click('#continue')
    await expectSignedIn(page, stranger, person.username)
  },
)

/** Opens a flow of the app nobody has consented to yet, and goes as far as `step`. */
async function goTo(page: Page, step: string, person: Person): Promise<void> {
  await page.goto(`${stranger.origin}/sign-in`)
  if (step === 'register' || step === 'verify-email') {
    await page.click('#register')
    await page.waitForURL(/\/register$/)
  }
  if (step === 'verify-email') await register(page, `late_${person.username}`)
  if (step === 'consent') {
    await fillSignIn(page, person)
    await page.click('#continue')
    await page.waitForURL(/\/consent$/)
  }
}

test.each(['register', 'verify-email'])(
  'a flow that lost its cookies on its %s page continues to the app',
  async (step) => {
    const person = await createPerson(server)
    const page = await browser.open()
    await goTo(page, step, person)
    await page.context().clearCookies()

    await page.click('#continue')
    await page.waitForSelector('h1:text("Let’s pick this up again")')
    await picture(page, 'lost-cookie')
    expect(await page.textContent('#continue')).toBe('Continue to Stranger')
    await page.click('#continue')

    await page.waitForURL(signInPage)
    await fillSignIn(page, person)
    await page.click('#continue')
    await page.waitForURL(/\/consent$/)
    await page.click('#continue')
    await expectSignedIn(page, stranger, person.username)
  },
)

/** Opens the mailed link in a browser that knows nothing of the flow, and presses its button. */
async function verifyElsewhere(email: string): Promise<void> {
  const phone = await browser.open()
  const link = server.origin + (await server.mailedLink(email))
  await phone.goto(link)
  await picture(phone, 'verify-link')
  expect(await findAxeViolations(phone)).toEqual([])
  await phone.click('#continue')
  await phone.waitForSelector('h1:text("Your address is verified")')
  await picture(phone, 'verify-done')
  expect(await findAxeViolations(phone)).toEqual([])
  await phone.goto(link)
  expect(await phone.textContent('h1')).toBe('This link has done its work')
}

test.each([
  { button: 'continue', username: 'elsewhere' },
  { button: 'resend', username: 'elsewhere_too' },
])(
  'a link that is opened elsewhere verifies there and says so; the first tab goes on by #$button',
  async ({ button, username }) => {
    const page = await browser.open(withoutScripts)
    await page.goto(`${library.origin}/sign-in`)
    await page.click('#register')
    await register(page, username)
    await verifyElsewhere(`${username}@example.org`)

    await page.click(`#${button}`)

    await expectSignedIn(page, library, username)
  },
)

test('with scripts the first tab goes on by itself, in its own time or when it is looked at', async () => {
  const page = await browser.open()
  const tab = await browser.openTab(page)
  for (const [at, username] of [
    [page, 'by_itself'],
    [tab, 'looked_at'],
  ] as const) {
    await stopClock(at)
    await at.goto(`${stranger.origin}/sign-in`)
    await at.click('#register')
    await register(at, username)
  }
  const signedIn = () =>
    server.database.pool
      .query(`select from audit_events where type = 'sign_in.succeeded'`)
      .then(({ rowCount }) => rowCount ?? 0)
  const before = await signedIn()

  await verifyElsewhere('by_itself@example.org')
  await page.clock.runFor(5000)
  await page.waitForURL(/\/consent$/)
  expect(await signedIn()).toBe(before + 1)

  await verifyElsewhere('looked_at@example.org')
  await tab.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await tab.waitForURL(/\/consent$/)
})

test('whoever says no goes back to the app, which is told', async () => {
  const person = await createPerson(server)
  const page = await browser.open()
  await goTo(page, 'consent', person)

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
