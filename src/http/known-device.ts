/**
 * Remembers, in a cookie, which accounts were signed in to from this browser. It opens nothing: whoever carries it
 * is only counted apart from strangers, so that these cannot lock a person out (PW-15, limits.ts).
 */
import type { Context } from 'koa'
import type { Config } from '../config.ts'
import { equalBytes, type Keyring, randomToken } from '../crypto.ts'
import { hostCookieName, readCookie, setCookie } from './cookies.ts'

/** `passwordChangedAt` makes every device a stranger again after a new password. */
export type DeviceAccount = { id: string; passwordChangedAt: Date | null }

export type KnownDevices = {
  /** The device's id when this browser has signed in to the account since its password was set. */
  find(ctx: Context, account: DeviceAccount | undefined): string | undefined
  /** After a sign-in. */
  remember(ctx: Context, account: DeviceAccount): void
}

const purpose = 'known-device'
const markBytes = 16
const mostAccounts = 8
const yearSeconds = 365 * 24 * 60 * 60
const pattern = new RegExp(`^([\\w-]{22})((?:~[\\w-]{22}){0,${mostAccounts}})$`)

export function createKnownDevices(options: {
  config: Pick<Config, 'issuer'>
  keyring: Keyring
}): KnownDevices {
  const { keyring } = options
  const secure = options.config.issuer.startsWith('https:')
  const name = hostCookieName('device', secure)

  /** The browser's id and a mark per account, newest first: `id~mark~mark`. */
  function read(ctx: Context): { id: string; marks: string[] } | undefined {
    const [, id, marks] = pattern.exec(readCookie(ctx, name) ?? '') ?? []
    return id === undefined ? undefined : { id, marks: (marks ?? '').split('~').filter(Boolean) }
  }

  /** Every mark that this account has on the device, one per key of the ring. */
  function marksOf(id: string, account: DeviceAccount): Buffer[] {
    const since = String(account.passwordChangedAt?.getTime() ?? 0)
    return keyring.macs(purpose, id, account.id, since).map((mark) => mark.subarray(0, markBytes))
  }

  function isMarkOf(mark: string, id: string, account: DeviceAccount): boolean {
    const given = Buffer.from(mark, 'base64url')
    return marksOf(id, account).some((expected) => equalBytes(expected, given))
  }

  return {
    find(ctx, account) {
      const device = read(ctx)
      if (!device || !account) return undefined
      return device.marks.some((mark) => isMarkOf(mark, device.id, account)) ? device.id : undefined
    },
    remember(ctx, account) {
      const { id, marks } = read(ctx) ?? { id: randomToken(markBytes), marks: [] }
      const [mark] = marksOf(id, account)
      const others = marks.filter((other) => !isMarkOf(other, id, account))
      const kept = [mark?.toString('base64url'), ...others].slice(0, mostAccounts)
      setCookie(ctx, name, [id, ...kept].join('~'), { secure, maxAgeSeconds: yearSeconds })
    },
  }
}
