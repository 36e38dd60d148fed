/**
 * Draws the README's picture, sign-in.png beside this file: the sign-in page in both themes. Run by hand when the
 * look has changed, on a machine with a Chinese font: `node test/browser/readme-picture.ts`. Always by the packaged
 * browser, whose own font is the same everywhere.
 */
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { createViews } from '../../src/views.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'

const width = 520
const height = 600
const origin = 'http://provider.test'
const views = createViews({ brandName: 'letuslearn', issuer: origin })

const { found, remove } = await findChromium('packaged')
const browser = await launchChromium(found)
try {
  const themes = [await drawSignIn(browser, 'light'), await drawSignIn(browser, 'dark')]
  const page = await browser.newPage({
    viewport: { width: 2 * width, height },
    deviceScaleFactor: 2,
  })
  const images = themes.map((png) => {
    return `<img width="${width}" src="data:image/png;base64,${png.toString('base64')}">`
  })
  await page.setContent(`<body style="margin: 0; display: flex">${images.join('')}`)
  await page.screenshot({ path: join(import.meta.dirname, 'sign-in.png') })
} finally {
  await browser.close()
  remove()
}

async function drawSignIn(browser: Browser, colorScheme: 'light' | 'dark'): Promise<Buffer> {
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: 2,
    colorScheme,
    reducedMotion: 'reduce',
  })
  await page.route('**/*', (route) => {
    const asset = views.asset(new URL(route.request().url()).pathname)
    return asset
      ? route.fulfill({ contentType: asset.type, body: asset.body() })
      : route.fulfill({ contentType: 'text/html', body: signInPage() })
  })
  await page.goto(origin)
  await page.fill('#identifier', 'mei_chen')
  await page.fill('#password', 'marble lantern')
  await page.locator(':focus').blur()
  return page.screenshot()
}

function signInPage(): string {
  const languageLinks = [
    { locale: 'en', label: 'English', href: '/', current: true },
    { locale: 'zh-CN', label: '简体中文', href: '/', current: false },
  ] as const
  const app = { name: 'Cloudreve' }
  const data = { action: '/', csrf: '', app, registerHref: '/register', languageLinks }
  return views.page('sign-in', data, { locale: 'en', nonce: '' })
}
