/** Password and address by a program. */
import type { Context } from 'koa'
import { findAccount } from '../../accounts/accounts.ts'
import { canonicalEmail } from '../../accounts/email.ts'
import { cancelChange, confirmAddress, pendingChange } from '../../credentials/address-change.ts'
import { beginProof, guessProof, readProof, resendProof } from '../../credentials/mail-proofs.ts'
import { changePassword } from '../../credentials/passwords.ts'
import { AppError } from '../../errors.ts'
import { limitKeyAddress } from '../../http/client-address.ts'
import { hungUp } from '../../http/hung-up.ts'
import type { Handlers } from '../operations.ts'
import { type AccountDeps, refuseField } from './context.ts'
import type { securityOperations } from './security-operations.ts'

const purpose = 'change-address'

export function securityHandlers(deps: AccountDeps): Handlers<typeof securityOperations> {
  const { db } = deps.database
  const keeping = { db, keyring: deps.keyring }

  /** Throws 404 `address_change_gone`. */
  async function pending(accountId: string): Promise<string> {
    const id = await pendingChange(db, accountId)
    if (!id) throw new AppError('address_change_gone', 404)
    return id
  }

  async function show(id: string) {
    const view = await readProof(db, { id, purpose })
    if (!view) throw new AppError('address_change_gone', 404)
    const { maskedEmail, state, waitSeconds } = view
    const open = state === 'open' || state === 'too-many' ? state : ('expired' as const)
    return { maskedEmail, state: open, retryAfter: waitSeconds }
  }

  const count = (ctx: Context, name: 'reset-address' | 'resend-address' | 'verification-address') =>
    deps.limits.consume(name, limitKeyAddress(ctx.state.address))

  return {
    async changePassword({ ctx, caller: { accountId, sessionUid }, body }) {
      const { newPassword, currentPassword: password } = body
      const account = await findAccount(db, accountId)
      if (!account) throw new AppError('invalid_token', 401)
      if (password !== undefined) {
        // Counted like any other try at this password: a token is no way to guess faster.
        const known = await deps.checkPassword(ctx, { identifier: account.username, password })
        if (known?.id !== accountId) throw new AppError('invalid_credentials', 403)
      }
      const judged = await deps.judgePassword(newPassword, account)
      if (!judged.ok) throw refuseField(ctx, deps.views, 'newPassword', judged.code)
      const passwordHash = await deps.hasher.hash(judged.password, hungUp(ctx))
      const given = { accountId, passwordHash }
      const changed = await changePassword(db, given, sessionUid ?? '', ctx.state.origin)
      if (!changed) throw new AppError('invalid_token', 401)
      await deps.signInLimits.forgive(account)
    },

    async readAddressChange({ caller: { accountId } }) {
      return show(await pending(accountId))
    },

    async beginAddressChange({ ctx, caller: { accountId, account }, body: { email } }) {
      const address = canonicalEmail(email)
      const same = address.ok && address.canonical === String(account.email_canonical)
      if (!address.ok || same) {
        const code = same ? 'email_same' : address.ok || !email ? 'email_required' : address.code
        throw refuseField(ctx, deps.views, 'email', code)
      }
      await count(ctx, 'reset-address')
      const { locale, origin } = ctx.state
      return show(await beginProof(db, { purpose, accountId, address, locale }, origin))
    },

    async confirmAddressChange({ ctx, caller: { accountId }, body: { code } }) {
      const id = await pending(accountId)
      await count(ctx, 'verification-address')
      const { origin } = ctx.state
      const guess = await guessProof(keeping, { id, purpose }, code, origin)
      if (!guess.ok) throw refuseField(ctx, deps.views, 'code', guess.code, guess.guessesLeft)
      const changed = await confirmAddress(keeping, { id }, origin)
      if (changed.ok) return
      // The mailbox has been proven: whose it is can be told to whoever reads it (EN-06).
      if (changed.code === 'email_taken') throw new AppError('email_already_exists', 409)
      throw new AppError('address_change_gone', 404)
    },

    async sendAddressMail({ ctx, caller: { accountId } }) {
      const id = await pending(accountId)
      await count(ctx, 'resend-address')
      await resendProof(db, { id, purpose }, ctx.state.origin)
      return { retryAfter: (await show(id)).retryAfter }
    },

    async cancelAddressChange({ caller: { accountId } }) {
      if (!(await cancelChange(db, accountId))) throw new AppError('address_change_gone', 404)
    },
  }
}
