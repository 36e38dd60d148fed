/** What every act on an account by a program needs, and the recent sign-in that sensitive ones ask for. */
import type { Context } from 'koa'
import type { Config } from '../../config.ts'
import { listAuthenticators } from '../../credentials/authenticators.ts'
import type { JudgePassword } from '../../credentials/new-password.ts'
import type { Hasher } from '../../credentials/password-hasher.ts'
import { levelOf } from '../../credentials/step-up.ts'
import type { Keyring } from '../../crypto.ts'
import type { Database } from '../../database/connection.ts'
import { AppError, type FieldError } from '../../errors.ts'
import type { Limits } from '../../http/limits.ts'
import type { SignInLimits } from '../../http/sign-in-limits.ts'
import type { Views } from '../../views.ts'
import type { Bearer, Caller } from '../bearer.ts'

export type AccountDeps = {
  config: Config
  database: Pick<Database, 'db' | 'pool'>
  keyring: Keyring
  hasher: Hasher
  judgePassword: JudgePassword
  /** Who has given the right password, or undefined. Throws 429 and 503. */
  checkPassword(
    ctx: Context,
    given: { identifier: string; password: string },
  ): Promise<{ id: string } | undefined>
  limits: Limits
  signInLimits: SignInLimits
  views: Pick<Views, 't'>
  bearer: Bearer
}

/** As long as a sensitive page may be opened after a sign-in (pages/account/frame.ts). */
export const freshSeconds = 600

/** Throws 401 `insufficient_user_authentication`: both are asked for at once, so that one sign-in is enough. */
export function createSignInDemand({ database, bearer }: Pick<AccountDeps, 'database' | 'bearer'>) {
  return async (ctx: Context, caller: Caller): Promise<void> => {
    const { accountId, amr, acr = levelOf(amr) } = caller
    const second = accountId && (await listAuthenticators(database.db, accountId)).length > 0
    // An app is told the level that it asked for, where more was proven.
    const known = { ...caller, acr: levelOf(amr) ?? acr } as Caller
    bearer.demand(ctx, known, {
      maxAgeSeconds: freshSeconds,
      ...(second ? { acr: '2fa' } : {}),
    })
  }
}

/** By whom, for rooms and the audit. */
export function byPerson(ctx: Context, accountId: string) {
  return { actor: { kind: 'person', id: accountId }, origin: ctx.state.origin } as const
}

/** Of the path; what is no id of ours is the id of nothing: 404 with this code. */
export function idOf(params: Record<string, string>, gone: string): string {
  const { id = '' } = params
  if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)) throw new AppError(gone, 404)
  return id
}

export function isoOf(date: Date | null | undefined): string | null {
  return date?.toISOString() ?? null
}

/** The same for one; `count` where its words name one. */
export function refuseField(
  ctx: Context,
  views: Pick<Views, 't'>,
  field: string,
  code: string,
  count?: number,
): AppError {
  const detail = views.t(ctx.state.locale, `errors.${code}`, count === undefined ? {} : { count })
  return new AppError('invalid_request', 400, { fields: [{ field, code }], detail })
}

/** An AppError whose detail says in the caller's language what is wrong with the fields. Members are as in the JSON. */
export function refuseFields(
  ctx: Context,
  views: Pick<Views, 't'>,
  errors: FieldError[],
  status = 400,
): AppError {
  const fields = errors.map(({ field, code }) => ({ field: inJson(field), code }))
  const words = fields.map(({ code }) => views.t(ctx.state.locale, `errors.${code}`))
  return new AppError('invalid_request', status, { fields, detail: words.join(' ') })
}

/** Rooms name members as tokens and forms do. */
function inJson(field: string): string {
  return field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
