/** The steps that people take in the browser tests, from an app's link to its greeting. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Person } from '../support/person.ts'
import type { BrowserApp } from './app.ts'

export const signInPage = /\/sign-in\/[\w-]+$/

export async function fillSignIn(page: Page, { username, password }: Person): Promise<void> {
  await page.fill('#identifier', username)
  await page.fill('#password', password)
}

/** From the app's link to the app's greeting. */
export async function signIn(page: Page, app: BrowserApp, person: Person): Promise<void> {
  await page.goto(`${app.origin}/sign-in`)
  await fillSignIn(page, person)
  await page.click('#continue')
  await expectSignedIn(page, app, person.username)
}

export async function expectSignedIn(page: Page, app: BrowserApp, username: string): Promise<void> {
  await page.waitForURL(`${app.origin}/`)
  expect(await page.textContent('#person')).toBe(username)
}

/** From the form to the page that asks for the code. */
export async function register(
  page: Page,
  username: string,
  button: 'click' | 'dblclick' = 'click',
): Promise<void> {
  await page.fill('#username', username)
  await page.fill('#email', `${username}@example.org`)
  await page.fill('#password', 'marble lantern otter')
  await page[button]('#continue')
  await page.waitForURL(/\/verify-email$/)
}

/** Begins at an app that is not yet consented to, and goes as far as this page. */
export async function goTo(
  page: Page,
  step: 'sign-in' | 'register' | 'verify-email' | 'consent',
  app: BrowserApp,
  person: Person,
): Promise<void> {
  await page.goto(`${app.origin}/sign-in`)
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
