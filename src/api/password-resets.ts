/**
 * `/api/password-resets`: mail, code or link, new password (credentials/mail-proofs.ts). Whoever began holds the handle,
 * without which a reset does not exist; nothing that is answered tells whether there is an account (EN-04).
 */
import type { Context, Middleware } from 'koa'
import { findAccount } from '../accounts/accounts.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { isProofHandle, proofHandle } from '../credentials/mail-proof-secrets.ts'
import {
  beginProof,
  findProven,
  guessProof,
  readProof,
  resendProof,
} from '../credentials/mail-proofs.ts'
import { type ResetProof, resetPassword } from '../credentials/passwords.ts'
import { AppError } from '../errors.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { hungUp } from '../http/hung-up.ts'
import { type AccountDeps, refuseField } from './account/context.ts'
import { type Handlers, routesOf } from './operations.ts'
import { passwordResetOperations } from './password-reset-operations.ts'

const purpose = 'reset-password'

export function passwordResetRoutes(deps: AccountDeps): Middleware[] {
  const { db } = deps.database
  const keeping = { db, keyring: deps.keyring }

  /** Throws 404 `reset_not_found` without the handle of this very reset. */
  function heldId(ctx: Context, { id = '' }: Record<string, string>): string {
    const [, handle = ''] = /^Bearer +([\w-]{1,128})$/i.exec(ctx.get('Authorization')) ?? []
    const held = /^[\da-f-]{36}$/.test(id) && isProofHandle(deps.keyring, id, handle)
    if (!held) throw new AppError('reset_not_found', 404)
    return id
  }

  const count = (ctx: Context, name: 'reset-address' | 'resend-address' | 'verification-address') =>
    deps.limits.consume(name, limitKeyAddress(ctx.state.address))

  const handlers: Handlers<typeof passwordResetOperations> = {
    async beginPasswordReset({ ctx, body: { identifier } }) {
      const address = canonicalEmail(identifier)
      if (!address.ok) {
        throw refuseField(
          ctx,
          deps.views,
          'identifier',
          identifier ? address.code : 'email_required',
        )
      }
      await count(ctx, 'reset-address')
      const { locale, origin } = ctx.state
      const id = await beginProof(db, { purpose, address, locale }, origin)
      const view = await readProof(db, { id, purpose })
      const handle = proofHandle(deps.keyring, id)
      return { id, handle, retryAfter: view?.waitSeconds ?? 0 }
    },

    async sendPasswordResetMail({ ctx, params }) {
      const id = heldId(ctx, params)
      await count(ctx, 'resend-address')
      await resendProof(db, { id, purpose }, ctx.state.origin)
      const view = await readProof(db, { id, purpose })
      if (!view) throw new AppError('reset_not_found', 404)
      return { retryAfter: view.waitSeconds }
    },

    async resetPassword({ ctx, params, body }) {
      const id = heldId(ctx, params)
      await count(ctx, 'verification-address')
      const { origin } = ctx.state
      if ('code' in body) {
        const guess = await guessProof(keeping, { id, purpose }, body.code, origin)
        if (!guess.ok) throw refuseField(ctx, deps.views, 'code', guess.code, guess.guessesLeft)
      }
      const proof: ResetProof = 'code' in body ? { id } : { token: body.token }
      const field = 'code' in body ? 'code' : 'token'
      const over = () => refuseField(ctx, deps.views, field, 'link_expired')
      const found = await findProven(db, { ...proof, purpose })
      const account =
        found?.id === id && found.accountId && (await findAccount(db, found.accountId))
      if (!account) throw over()
      const judged = await deps.judgePassword(body.newPassword, account)
      if (!judged.ok) throw refuseField(ctx, deps.views, 'newPassword', judged.code)
      const passwordHash = await deps.hasher.hash(judged.password, hungUp(ctx))
      if (!(await resetPassword(db, proof, passwordHash, origin))) throw over()
      await deps.signInLimits.forgive(account)
    },
  }
  return routesOf(passwordResetOperations, handlers, { bearer: deps.bearer })
}
