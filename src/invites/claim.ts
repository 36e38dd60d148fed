/**
 * How an invitation lets somebody in: looked at before anything is asked of the person, used up by one guarded statement in
 * the transaction that begins their way in, given back when that comes to nothing, and its roles given at the end. Unknown,
 * used, expired, revoked or another's address: whoever brings the code hears one answer (`invite_invalid`).
 */
import { sql } from 'kysely'
import { record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { grantRole } from '../roles/holders.ts'
import { findRole } from '../roles/roles.ts'
import { inviteHashes } from './codes.ts'

type Brought = {
  /** As it was typed or stood in the link. */
  code: string
  /** The canonical address that is going to be proven, or has been. */
  email: string
}

/** Spends nothing. `open` is false where every use is taken, perhaps by this very person. */
export async function findInviteByCode(
  db: Db,
  keyring: Keyring,
  { code, email }: Brought,
): Promise<{ id: string; open: boolean } | undefined> {
  const hashes = inviteHashes(keyring, code)
  if (hashes.length === 0) return undefined
  return db
    .selectFrom('invites')
    .select(['id', sql<boolean>`used < uses`.as('open')])
    .where('codeHash', 'in', hashes)
    .where('revokedAt', 'is', null)
    .where(letsIn(email))
    .executeTakeFirst()
}

/**
 * Takes one use: of many at once only as many succeed as there are left. Part of the caller's transaction, so a beginning
 * that fails has used nothing. Undefined: `invite_invalid`.
 */
export async function claimInvite(
  trx: Db,
  keyring: Keyring,
  { code, email }: Brought,
): Promise<{ id: string; roles: string[] } | undefined> {
  const hashes = inviteHashes(keyring, code)
  if (hashes.length === 0) return undefined
  return trx
    .updateTable('invites')
    .set({ used: sql<number>`used + 1` })
    .where('codeHash', 'in', hashes)
    .where('revokedAt', 'is', null)
    .where('used', '<', sql<number>`uses`)
    .where(letsIn(email))
    .returning(['id', 'roles'])
    .executeTakeFirst()
}

/** What was begun with it came to nothing; an id for each use that goes back. */
export async function returnInvites(trx: Db, ids: string[]): Promise<void> {
  if (ids.length === 0) return
  await sql`
    update invites set used = greatest(0, used - back.count)
    from (select id, count(*)::int from unnest(${ids}::text[]) as id group by id) as back
    where invites.id = back.id`.execute(trx)
}

/** The account is a real one now. False when the invitation has been revoked meanwhile: then nobody comes in by it. */
export async function acceptInvite(
  trx: Db,
  { inviteId, accountId }: { inviteId: string; accountId: string },
): Promise<boolean> {
  // Locked: whoever revokes it at this moment either stops this or comes after it.
  const invite = await trx
    .selectFrom('invites')
    .select('roles')
    .where('id', '=', inviteId)
    .where('revokedAt', 'is', null)
    .forShare()
    .executeTakeFirst()
  if (!invite) return false
  const actor = { kind: 'system', id: `invite ${inviteId}` } as const
  const account = { kind: 'account', id: accountId } as const
  for (const role of invite.roles) {
    // One that has ended since is nothing any more.
    if (await findRole(trx, role)) await grantRole(trx, role, account, { actor })
  }
  await record(trx, {
    type: 'invite.accepted',
    actor: { kind: 'person', id: accountId },
    accountId,
    detail: { id: inviteId, roles: invite.roles },
  })
  return true
}

const letsIn = (email: string) => sql<boolean>`
  (expires_at is null or expires_at > now()) and (email_canonical is null or email_canonical = ${email})`
