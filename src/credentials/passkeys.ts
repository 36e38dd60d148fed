/**
 * The passkeys of a person: listed, named, removed (made: add-passkey.ts). The last way to sign in cannot be removed.
 * Each change is audited and mailed.
 */
import type { Selectable } from 'kysely'
import { checkDisplayName } from '../accounts/names.ts'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { tellOfFactor } from './factor-mails.ts'
import { countOtherWaysIn } from './ways-in.ts'

export type Passkey = Pick<
  Selectable<Tables['passkeys']>,
  'id' | 'name' | 'rpId' | 'backedUp' | 'createdAt' | 'lastUsedAt'
> & {
  /** As base64url. */
  credentialId: string
}

/** More than anybody has devices; it bounds what one account can store. */
export const mostPasskeys = 25

/** The oldest first. */
export async function listPasskeys(db: Db, accountId: string): Promise<Passkey[]> {
  const rows = await db
    .selectFrom('passkeys')
    .select(['id', 'credentialId', 'name', 'rpId', 'backedUp', 'createdAt', 'lastUsedAt'])
    .where('accountId', '=', accountId)
    .orderBy('createdAt')
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ ...row, credentialId: row.credentialId.toString('base64url') }))
}

/** Values of RFC 8176: a synchronized key is software, another is bound to its device. */
export function amrOf({ backupEligible }: { backupEligible: boolean }): string[] {
  return [backupEligible ? 'swk' : 'hwk', 'user']
}

export type Renamed =
  | { ok: true }
  | { ok: false; code: 'name_invalid' | 'name_too_long' | 'passkey_gone' }

/** Only the person's own (WA-15). */
export async function renamePasskey(
  db: Db,
  { id, accountId, name }: { id: string; accountId: string; name: string },
  origin: Origin = {},
): Promise<Renamed> {
  const checked = checkDisplayName(name)
  if (!checked.ok) return checked
  if (Array.from(checked.name).length > 60) return { ok: false, code: 'name_too_long' }
  return transact(db, async (trx): Promise<Renamed> => {
    const renamed = await trx
      .updateTable('passkeys')
      .set({ name: checked.name })
      .where('id', '=', id)
      .where('accountId', '=', accountId)
      .returning('id')
      .executeTakeFirst()
    if (!renamed) return { ok: false, code: 'passkey_gone' }
    await record(trx, {
      type: 'passkey.renamed',
      actor: { kind: 'person', id: accountId },
      accountId,
      origin,
      detail: { passkeyId: id },
    })
    return { ok: true }
  })
}

export type Removed = { ok: true } | { ok: false; code: 'passkey_gone' | 'last_way_in' }

/** Only the person's own, and never the last way to sign in (WA-15, WA-17). */
export function removePasskey(
  db: Db,
  { id, accountId }: { id: string; accountId: string },
  origin: Origin = {},
): Promise<Removed> {
  return transact(db, async (trx): Promise<Removed> => {
    // Held till the end: of the last two, removed at once, one stays.
    const others = await countOtherWaysIn(trx, accountId, { passkeyId: id })
    const own = await listPasskeys(trx, accountId)
    const passkey = own.find((other) => other.id === id)
    if (!passkey) return { ok: false, code: 'passkey_gone' }
    if (others === 0) return { ok: false, code: 'last_way_in' }
    await trx.deleteFrom('passkeys').where('id', '=', id).execute()
    const actor = { kind: 'person', id: accountId } as const
    await tell(trx, 'removed', { accountId, id, name: passkey.name }, actor, origin)
    return { ok: true }
  })
}

/** All of them, by an operator who frees somebody. How many there were. */
export function removePasskeysOf(db: Db, accountId: string, actor: Actor): Promise<number> {
  return transact(db, async (trx) => {
    const gone = await trx
      .deleteFrom('passkeys')
      .where('accountId', '=', accountId)
      .returning(['id', 'name'])
      .execute()
    for (const { id, name } of gone) await tell(trx, 'removed', { accountId, id, name }, actor, {})
    return gone.length
  })
}

/** The trail and the mail, in the transaction of the change. */
export async function tell(
  trx: Db,
  change: 'added' | 'removed',
  { accountId, id, name }: { accountId: string; id: string; name: string },
  actor: Actor,
  origin: Origin,
): Promise<void> {
  const detail = { passkeyId: id, name }
  await record(trx, { type: `passkey.${change}`, actor, accountId, origin, detail })
  await tellOfFactor(trx, { accountId, what: change, factor: 'passkey', name })
}

/** One line, short: it may quote what a stranger sent (WA-18). */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}
