/** An admin has a person asked to choose a password: by the mail that they could ask for themselves (AD-06). */
import { findAccount } from '../accounts/accounts.ts'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { beginProof } from './mail-proofs.ts'

/** False for whom no such mail reaches: an account that is not active. */
export function mailPasswordReset(
  db: Db,
  accountId: string,
  { actor, origin }: { actor: Actor; origin?: Origin | undefined },
): Promise<boolean> {
  return transact(db, async (trx) => {
    const account = await findAccount(trx, accountId)
    if (account?.status !== 'active' || !account.email || !account.emailCanonical) return false
    const { email, emailCanonical: canonical, locale } = account
    const purpose = 'reset-password'
    // Without the admin's address: what limits mails to one person must not be used up by one network.
    await beginProof(trx, { purpose, address: { email, canonical }, locale: locale ?? 'en' })
    await record(trx, { type: 'account.password_mail_sent', actor, accountId, origin })
    return true
  })
}
