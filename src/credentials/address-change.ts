/**
 * A new address for an account: the new mailbox is proven first (mail-proofs.ts), then both are told, and for a week the
 * old one can take it back (AC-14). Until it is proven a new address reserves nothing, and tells nothing (EN-06).
 */
import { sql } from 'kysely'
import { keepUndo } from '../accounts/address-undos.ts'
import { tell } from '../accounts/notices.ts'
import { type Origin, record } from '../audit/audit.ts'
import { type Keyring, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { isUniqueViolation } from '../database/errors.ts'
import { transact } from '../database/transact.ts'
import { endSessions } from '../sessions/end-sessions.ts'
import { dropProofs, spendProof } from './mail-proofs.ts'

type Deps = { db: Db; keyring: Keyring }

export type Changed =
  | { ok: true; accountId: string; email: string }
  | { ok: false; code: 'link_expired' | 'email_taken' }

const gone: Changed = { ok: false, code: 'link_expired' }

/** The change of this account that waits for its proof. */
export async function pendingChange(db: Db, accountId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('mailProofs')
    .select('id')
    .where('accountId', '=', accountId)
    .where('purpose', '=', 'change-address')
    .where('consumedAt', 'is', null)
    .where('expiresAt', '>', sql<Date>`now()`)
    .executeTakeFirst()
  return row?.id
}

/** False when none waits. */
export async function cancelChange(db: Db, accountId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('mailProofs')
    .where('accountId', '=', accountId)
    .where('purpose', '=', 'change-address')
    .where('consumedAt', 'is', null)
    .where('expiresAt', '>', sql<Date>`now()`)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** Once for each proof. Whoever has proven the address meanwhile has it. */
export async function confirmAddress(
  { db, keyring }: Deps,
  proof: { id: string } | { token: string },
  origin: Origin,
): Promise<Changed> {
  try {
    return await transact(db, async (trx) => {
      const spent = await spendProof(trx, { ...proof, purpose: 'change-address' })
      if (!spent?.accountId) return gone
      const { accountId, email, emailCanonical } = spent
      const old = await replaceAddress(trx, { accountId, email, emailCanonical })
      if (!old) return gone
      await dropProofs(trx, accountId)
      const undoId = await keepUndo(trx, keyring, { accountId, ...old })
      await record(trx, {
        type: 'account.address_changed',
        actor: { kind: 'person', id: accountId },
        accountId,
        origin,
      })
      await tell(trx, { accountId, kind: 'address_left', undoId }, origin)
      await tell(trx, { accountId, kind: 'address_changed' }, origin)
      return { ok: true, accountId, email }
    })
  } catch (error) {
    if (isUniqueViolation(error, 'accounts_email_canonical_key'))
      return { ok: false, code: 'email_taken' }
    throw error
  }
}

/** What the link of the old mailbox would bring back; looking changes nothing. */
export function readUndo(db: Db, token: string) {
  return undoRows(db, token).executeTakeFirst()
}

/**
 * Brings the old address back and ends every session: whoever changed it may not be its owner. All ways back that were
 * made later die with it, so that nobody can undo the undo.
 */
export async function undoAddress(
  { db }: Pick<Deps, 'db'>,
  token: string,
  origin: Origin,
): Promise<Changed> {
  try {
    return await transact(db, async (trx) => {
      const undo = await undoRows(trx, token).forUpdate().executeTakeFirst()
      if (!undo) return gone
      const { accountId, email, emailCanonical, createdAt } = undo
      if (!(await replaceAddress(trx, { accountId, email, emailCanonical }))) return gone
      await sql`delete from address_undos where account_id = ${accountId}
        and (id = ${undo.id} or created_at >= ${createdAt})`.execute(trx)
      await dropProofs(trx, accountId)
      const ended = await endSessions(trx, { accountId }, { offline: 'ends' })
      await record(trx, {
        type: 'account.address_restored',
        actor: { kind: 'person', id: accountId },
        accountId,
        origin,
        detail: { sessions: ended.sessions, told: ended.told },
      })
      await tell(trx, { accountId, kind: 'address_changed' }, origin)
      return { ok: true, accountId, email }
    })
  } catch (error) {
    if (isUniqueViolation(error, 'accounts_email_canonical_key'))
      return { ok: false, code: 'email_taken' }
    throw error
  }
}

function undoRows(db: Db, token: string) {
  const hash = /^[\w-]{43}$/.test(token) ? sha256(token) : Buffer.alloc(0)
  return db
    .selectFrom('addressUndos')
    .selectAll()
    .where('tokenHash', '=', hash)
    .where('expiresAt', '>', sql<Date>`now()`)
}

/** The address before; undefined when the account is not active. */
async function replaceAddress(
  trx: Db,
  next: { accountId: string; email: string; emailCanonical: string },
): Promise<{ email: string; emailCanonical: string } | undefined> {
  const old = await trx
    .selectFrom('accounts')
    .select(['email', 'emailCanonical'])
    .where('id', '=', next.accountId)
    .where('status', '=', 'active')
    .forUpdate()
    .executeTakeFirst()
  if (!old?.email || !old.emailCanonical) return undefined
  await trx
    .updateTable('accounts')
    .set({
      email: next.email,
      emailCanonical: next.emailCanonical,
      emailVerifiedAt: sql<Date>`now()`,
      updatedAt: sql<Date>`now()`,
    })
    .where('id', '=', next.accountId)
    .execute()
  return { email: old.email, emailCanonical: old.emailCanonical }
}
