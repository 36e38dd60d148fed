/**
 * Where a registration stands: in a flow, which remembers it, or at the door, where a cookie does. What comes after the proof
 * of the mailbox is decided here.
 */
import { type Account, findAccount } from '../accounts/accounts.ts'
import { AppError } from '../errors.ts'
import { type Flow, saveProgress } from '../oidc/interactions.ts'
import type { RegistrationKey } from '../registration/deps.ts'
import { findNewcomer, hasWayIn } from '../registration/first-way-in.ts'
import { newestHandle } from '../registration/handles.ts'
import { read } from '../registration/read.ts'
import type { App } from '../views/page-data.ts'
import type { PagesDeps } from './context.ts'
import type { Prover } from './next-step.ts'

export type PlaceUpstream = {
  provider: string
  label: string
  typed: Record<'username' | 'email' | 'name', string>
  /** Links it to the new account and lets the person in; false when it has become somebody's meanwhile. */
  enter(account: Account): Promise<boolean>
}

export type Place = {
  path(page: 'register' | 'verify-email' | 'first-passkey' | 'sign-in'): string
  app?: App | undefined
  flow?: Flow | undefined
  /** The registration that this browser has begun here. */
  key?: RegistrationKey | undefined
  /** The registration whose link was opened in this browser. */
  linked?: string | undefined
  /** Whoever registers here has been proven by an upstream, and will sign in by it. */
  upstream?: PlaceUpstream | undefined
  remember(key: RegistrationKey): Promise<void>
  /** The mailbox is proven. */
  finish(accountId: string): Promise<void>
  /** And so is a way to sign in, in values of RFC 8176. */
  enter(account: Prover, proven: string[]): Promise<void>
}

/** In a flow the registration's id is enough: its handle follows from it, and the flow is the browser's own. */
export function placeInFlow(
  deps: PagesDeps,
  flow: Flow,
  given: Pick<Place, 'app' | 'linked' | 'upstream' | 'enter'> & { leave(href: string): void },
): Place {
  const { db, pool } = deps.database
  const { registrationId } = flow.progress
  const key = registrationId
    ? { id: registrationId, handle: newestHandle(deps.keyring, registrationId) }
    : undefined
  const path: Place['path'] = (page) =>
    page === 'sign-in' ? `/sign-in/${flow.id}` : `/sign-in/${flow.id}/${page}`
  const linked = given.linked === registrationId ? registrationId : undefined
  return {
    path,
    app: given.app,
    flow,
    key,
    linked,
    upstream: given.upstream,
    enter: given.enter,
    remember: ({ id }) => saveProgress(pool, flow, { registrationId: id }),
    async finish(accountId) {
      const newcomer = await findNewcomer(db, { key, linked })
      if (newcomer && (await given.upstream?.enter(newcomer.account))) return
      if (newcomer) return given.leave(path('first-passkey'))
      const account = await findAccount(db, accountId)
      if (!account) throw new AppError('account_not_found', 404)
      if (account.status !== 'active') throw new AppError('account_disabled', 403)
      const view = key && (await read(db, key))
      if (isAsRegistered(account, view?.verifiedAt)) return given.enter(account, ['pwd'])
      await saveProgress(pool, flow, {
        word: (await hasWayIn(db, account)) ? 'verified' : 'unfinished',
      })
      given.leave(path('sign-in'))
    },
  }
}

/** The password is the one of the form: whoever has set another since then signs in with that (AC-16). */
function isAsRegistered(account: Account, verifiedAt: Date | null | undefined): boolean {
  const { passwordHash, passwordChangedAt } = account
  if (passwordHash === null || !verifiedAt) return false
  return passwordChangedAt === null || passwordChangedAt <= verifiedAt
}
