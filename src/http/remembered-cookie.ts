/** The cookie of browsers that stand for a second factor for a while: a value for each account, the newest first. */
import type { Context } from 'koa'
import type { Config } from '../config.ts'
import { hostCookieName, readCookie, setCookie } from './cookies.ts'

export type RememberedCookie = {
  read(ctx: Context): string[]
  add(ctx: Context, token: string, days: number): void
}

const mostAccounts = 4
const pattern = /^[\w-]{43}(?:~[\w-]{43}){0,3}$/

export function createRememberedCookie({ issuer }: Pick<Config, 'issuer'>): RememberedCookie {
  const secure = issuer.startsWith('https:')
  const name = hostCookieName('remembered', secure)
  const read = (ctx: Context): string[] => {
    const value = readCookie(ctx, name) ?? ''
    return pattern.test(value) ? value.split('~') : []
  }
  return {
    read,
    add(ctx, token, days) {
      const value = [token, ...read(ctx)].slice(0, mostAccounts).join('~')
      setCookie(ctx, name, value, { secure, maxAgeSeconds: days * 86_400 })
    },
  }
}
