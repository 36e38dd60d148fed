/**
 * Break-glass: a link that an operator hands to somebody who cannot sign in and gets no mail. It is a proof like that of a
 * mailed link (mail-proofs.ts), so it opens the same page: looking spends nothing, pressing spends it once, the person
 * alone chooses the password (AD-06), all sessions end, and a second factor is asked for as ever.
 */
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import { newId, randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'

export const shortestRecoverySeconds = 60
export const longestRecoverySeconds = 24 * 60 * 60

/**
 * The token is in the answer and nowhere else; the row keeps its hash. A newer link ends the older. Undefined for an account
 * that is not active: nobody signs in to those, whatever their password.
 */
export function createRecoveryLink(
  db: Db,
  accountId: string,
  seconds: number,
  actor: Actor,
): Promise<{ token: string; expiresAt: Date } | undefined> {
  const token = randomToken()
  return transact(db, async (trx) => {
    // The lock lets two that are made at once come one after the other.
    const account = await trx
      .selectFrom('accounts')
      .select(['email', 'emailCanonical', 'locale'])
      .where('id', '=', accountId)
      .where('status', '=', 'active')
      .forUpdate()
      .executeTakeFirst()
    if (!account) return undefined
    await trx
      .deleteFrom('mailProofs')
      .where('accountId', '=', accountId)
      .where('purpose', '=', 'reset-password')
      .where('mailNumber', '=', 0)
      .where('consumedAt', 'is', null)
      .execute()
    const end = sql<Date>`now() + make_interval(secs => ${seconds})`
    const { expiresAt } = await trx
      .insertInto('mailProofs')
      .values({
        id: newId(),
        purpose: 'reset-password',
        accountId,
        email: account.email ?? '',
        emailCanonical: account.emailCanonical ?? '',
        locale: account.locale ?? 'en',
        // No mail carries it.
        mailNumber: 0,
        tokenHash: sha256(token),
        proofExpiresAt: end,
        nextMailAt: end,
        expiresAt: end,
      })
      .returning('expiresAt')
      .executeTakeFirstOrThrow()
    await record(trx, { type: 'account.recovery_linked', actor, accountId, detail: { seconds } })
    return { token, expiresAt }
  })
}
