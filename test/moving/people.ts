/** Lines of accounts for the tests that move them. */
import type { AccountLine } from '../../src/moving/account-line.ts'

export const head = JSON.stringify({ version: 1, format: 'idp.accounts' })

export function lineOf(username: string, more: Partial<AccountLine> = {}): string {
  return JSON.stringify({
    username,
    email: `${username}@example.org`,
    email_verified: true,
    ...more,
  })
}

export function fileOf(...lines: string[]): string {
  return `${[head, ...lines].join('\n')}\n`
}
