/**
 * What every page of a person's own account stands in: who is signed in, the way back here after signing in, a recent
 * sign-in for what is sensitive, and the word that an act leaves for the page after it.
 */
import type { Context, Middleware } from 'koa'
import { sha256 } from '../../crypto.ts'
import { hostCookieName, readCookie, setCookie } from '../../http/cookies.ts'
import { type AccountPage, accountPages } from '../../oidc/account-client.ts'
import { cookieNames } from '../../oidc/cookies.ts'
import type { Row } from '../../sessions/artefacts.ts'
import { seeDevice } from '../../sessions/devices.ts'
import { read } from '../../sessions/reads.ts'
import type { PageData } from '../../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from '../context.ts'

export type Signed = { session: Row; account: Row; accountId: string }
export type AccountHandler = (ctx: Context, signed: Signed) => Promise<void> | void
type Notice = string

/**
 * A sensitive form is shown within ten minutes of a sign-in, and taken for twenty more: so it is before typing that
 * anybody is asked to sign in again, and what was typed is not lost.
 */
export const freshSeconds = 10 * 60
export const takenSeconds = 30 * 60

export type AccountFrame = ReturnType<typeof createAccountFrame>

export function createAccountFrame(
  deps: Pick<PagesDeps, 'config' | 'database' | 'views' | 'csrf'>,
) {
  const secure = deps.config.issuer.startsWith('https:')
  const names = cookieNames(deps.config.issuer)
  const noticeCookie = hostCookieName('notice', secure)
  return { sessionOf, page, drawPage, done, isFresh }

  async function sessionOf(ctx: Context): Promise<{ session?: Row; account?: Row }> {
    const sessionId = ctx.cookies.get(names.session, { signed: false })
    if (!sessionId) return {}
    return read(deps.database.pool, 'request', [sha256(sessionId), null, null])
  }

  /**
   * A route's handler for whoever is signed in; others sign in first and come to the page `name`. With `fresh` the
   * sign-in must be recent. A POST must have been parsed and carry its proof.
   */
  function page(
    name: AccountPage,
    handle: AccountHandler,
    { fresh = false }: { fresh?: boolean } = {},
  ): Middleware {
    return async (ctx) => {
      // The answer of our own request: a reload must not carry it.
      if (ctx.query.code !== undefined || ctx.query.iss !== undefined) {
        return seeOther(ctx, accountPages[name])
      }
      const { session, account } = await sessionOf(ctx)
      if (!session || !account) return seeOther(ctx, `/sign-in?to=${name}`)
      if (fresh && !isFresh(session, ctx.method === 'POST' ? takenSeconds : freshSeconds)) {
        return seeOther(ctx, `/sign-in?to=${name}&fresh=1`)
      }
      await seeDevice(deps.database.db, String(session.uid), ctx.state.origin)
      await handle(ctx, { session, account, accountId: String(account.id) })
    }
  }

  /** Draws a page, with the word that the act before it has left. */
  function drawPage<N extends keyof PageData>(
    ctx: Context,
    name: N,
    data: Omit<PageData[N], 'languageLinks' | 'csrf' | 'notice'>,
    status = 200,
  ): void {
    const notice = readCookie(ctx, noticeCookie)
    if (notice !== undefined) setCookie(ctx, noticeCookie, '', { secure, maxAgeSeconds: 0 })
    const known =
      notice && deps.views.has(ctx.state.locale, `account.done.${notice}`) ? { notice } : {}
    draw(ctx, deps, name, { ...data, ...known } as Parameters<typeof draw<N>>[3], status)
  }

  /** The act is done: says so on the page that comes next. */
  function done(ctx: Context, notice: Notice, next: AccountPage): void {
    setCookie(ctx, noticeCookie, notice, { secure, maxAgeSeconds: 60 })
    seeOther(ctx, accountPages[next])
  }
}

/** Whether the person has proven who they are in this session at most so many seconds ago. */
export function isFresh(session: Row, seconds = freshSeconds): boolean {
  const at = session.signed_in_at as Date | null
  return at !== null && Date.now() - at.getTime() <= seconds * 1000
}
