/** Too late, without cookies, on another device: whatever was lost, the page says how to go on, and it works. */
import { expect, test } from 'vitest'
import { picture, stopClock, useBrowser } from '../support/browser.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { startApp } from './app.ts'
import { findAxeViolations } from './inspect.ts'
import { expectSignedIn, fillSignIn, goTo, register, signInPage } from './steps.ts'

const server = await startTestServer()
const library = await startApp(server, { name: 'Library', firstParty: true })
const stranger = await startApp(server, { name: 'Stranger' })
const browser = useBrowser()

test.each(['sign-in', 'consent'] as const)(
  'a flow that expired on its %s page continues to the app',
  async (step) => {
    const person = await createPerson(server)
    const page = await browser.open()
    await goTo(page, step, stranger, person)
    // The script of the sign-in page asks for the options of a passkey, while there is a flow to ask for.
    await page.waitForLoadState('networkidle')
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

test.each(['register', 'verify-email'] as const)(
  'a flow that lost its cookies on its %s page continues to the app',
  async (step) => {
    const person = await createPerson(server)
    const page = await browser.open()
    await goTo(page, step, stranger, person)
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
    const page = await browser.open({ javaScriptEnabled: false })
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
