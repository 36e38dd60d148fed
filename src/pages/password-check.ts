/**
 * A password, checked the same way whoever asks: counted before it is hashed, hashed in the bounded queue, and an unknown
 * name costs the same work as a known one. What is wrong is audited here.
 */
import type { Context } from 'koa'
import { type Account, findByIdentifier } from '../accounts/accounts.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { record } from '../audit/audit.ts'
import { normalizePassword } from '../credentials/password-rules.ts'
import { AppError } from '../errors.ts'
import { hungUp } from '../http/hung-up.ts'
import type { PagesDeps } from './context.ts'

type Deps = Pick<PagesDeps, 'database' | 'hasher' | 'signInLimits' | 'knownDevices' | 'onSignIn'>

/** The account, whatever its status, or undefined. Throws 429 `too_many_requests` and 503 `busy`. */
export function createPasswordCheck(deps: Deps) {
  return async function checkPassword(
    ctx: Context,
    given: { identifier: string; password: string },
  ): Promise<Account | undefined> {
    const account = await findByIdentifier(deps.database.db, given.identifier)
    try {
      if (await isRight(ctx, given, account)) return account
    } catch (error) {
      if (!(error instanceof AppError) || ![429, 503].includes(error.status)) throw error
      deps.onSignIn(error.status === 429 ? 'limited' : 'busy')
      throw error
    }
    deps.onSignIn('wrong_credentials')
    return undefined
  }

  async function isRight(
    ctx: Context,
    { identifier, password }: { identifier: string; password: string },
    account: Account | undefined,
  ): Promise<boolean> {
    const attempt = await deps.signInLimits.begin({
      name: canonicalIdentifier(identifier),
      account,
      address: ctx.state.address,
      knownDevice: deps.knownDevices.find(ctx, account),
    })
    const text = normalizePassword(password) ?? ''
    let right: boolean
    try {
      right = await deps.hasher.verify(account?.passwordHash ?? undefined, text, hungUp(ctx))
    } catch (error) {
      await attempt.withdraw()
      throw error
    }
    if (right && account) {
      await attempt.succeed()
      await rehash(account, text)
      return true
    }
    await attempt.fail()
    await record(deps.database.db, {
      type: 'sign_in.refused',
      accountId: account?.id,
      clientId: ctx.state.clientId,
      origin: ctx.state.origin,
    })
    return false
  }

  /** An older or foreign hash gives way to ours. Guarded: a password that was just changed stays. */
  async function rehash(account: Account, password: string): Promise<void> {
    const { id, passwordHash } = account
    if (!passwordHash || !deps.hasher.needsRehash(passwordHash, password)) return
    const better = await deps.hasher.hash(password).catch((error: unknown) => {
      // Whoever has proven the password comes in; the next time is early enough.
      if (error instanceof AppError && error.code === 'busy') return undefined
      throw error
    })
    if (better === undefined) return
    await deps.database.db
      .updateTable('accounts')
      .set({ passwordHash: better })
      .where('id', '=', id)
      .where('passwordHash', '=', passwordHash)
      .execute()
  }
}

function canonicalIdentifier(typed: string): string {
  const email = canonicalEmail(typed.trim())
  return email.ok ? email.canonical : typed.trim().toLowerCase().slice(0, 254)
}
