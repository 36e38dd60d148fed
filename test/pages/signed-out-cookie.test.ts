/** What the page after signing out remembers has to fit a cookie. */
import { expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import type { PagesDeps } from '../../src/pages/context.ts'
import { signedOutPage } from '../../src/pages/signed-out.ts'

const keyring = createKeyring(['a-secret-of-more-than-32-characters-0'])
const page = signedOutPage({
  config: { issuer: 'https://id.example.org' },
  database: {},
  keyring,
} as unknown as PagesDeps)

function remembered(clientIds: string[], onward?: string): { header: string; ids: string[] } {
  let header = ''
  const ctx = { append: (_name: string, value: string) => (header = value) }
  page.remember(
    ctx as never,
    { uid: 'u'.repeat(43), clientIds, ...(onward ? { onward } : {}) } as never,
  )
  const sealed = /=([\w-]+)/.exec(header)?.[1] ?? ''
  const opened = keyring.open('ended', 'session', Buffer.from(sealed, 'base64url'))
  return { header, ids: JSON.parse(opened.toString()).ids }
}

test('twenty apps with the longest of ids and a long way onward stay below what browsers keep', () => {
  const ids = Array.from({ length: 20 }, (_, n) => `${n}`.padStart(128, 'x'))
  const { header, ids: kept } = remembered(ids, `https://app.example.com/${'y'.repeat(700)}`)
  expect(header.length).toBeLessThan(4096)
  expect(kept.length).toBeGreaterThan(10)
  expect(ids.slice(0, kept.length)).toEqual(kept)
})

test('twenty apps of ours are all remembered', () => {
  const ids = Array.from({ length: 20 }, (_, n) => `${n}`.padStart(21, 'x'))
  expect(remembered(ids).ids).toEqual(ids)
})
