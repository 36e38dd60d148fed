/**
 * Whom an upstream means by a subject: (provider, issuer, subject) is one person's here, by a unique constraint, and never
 * found by an address. Linking is for whoever has proven both sides; what they unlink is never their last way in.
 */
import { sql } from 'kysely'
import type { Account } from '../accounts/accounts.ts'
import { findAccount } from '../accounts/accounts.ts'
import { tell } from '../accounts/notices.ts'
import { type Origin, record } from '../audit/audit.ts'
import { countOtherWaysIn } from '../credentials/ways-in.ts'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import type { ProvenIdentity } from './claims.ts'
import { applyRoles } from './roles.ts'

/** More than there are sensible providers; it bounds what one account can store. */
const mostIdentities = 25

export type LinkedIdentity = {
  id: string
  providerId: string
  provider: string
  enabled: boolean
  label: string
  createdAt: Date
  lastUsedAt: Date
}

/** The oldest first. */
export async function listIdentities(db: Db, accountId: string): Promise<LinkedIdentity[]> {
  return db
    .selectFrom('identities')
    .innerJoin('providers', 'providers.id', 'identities.providerId')
    .select([
      'identities.id',
      'identities.providerId',
      'providers.name as provider',
      'providers.enabled',
      'identities.label',
      'identities.createdAt',
      'identities.lastUsedAt',
    ])
    .where('accountId', '=', accountId)
    .orderBy('identities.createdAt')
    .execute()
}

/** Whose it is. What the upstream says of them today is taken over: what to show, and their roles. */
export function useIdentity(
  db: Db,
  identity: ProvenIdentity,
  origin: Origin,
): Promise<Account | undefined> {
  return transact(db, async (trx) => {
    const used = await trx
      .updateTable('identities')
      .set({ lastUsedAt: sql<Date>`now()`, label: labelOf(identity) })
      .where('providerId', '=', identity.providerId)
      .where('issuer', '=', identity.issuer)
      .where('subject', '=', identity.subject)
      .returning(['id', 'accountId'])
      .executeTakeFirst()
    if (!used) return undefined
    const account = await findAccount(trx, used.accountId)
    if (account?.status === 'active') {
      await applyRoles(trx, { identityId: used.id, accountId: used.accountId }, identity, origin)
    }
    return account
  })
}

export type Linked =
  | { ok: true; added: boolean }
  | { ok: false; code: 'identity_taken' | 'identities_too_many' | 'way_in_exists' }

/** Of two people who link one identity at once, one has it (security RC-11). `first`: only to an account without a way in. */
export function linkIdentity(
  db: Db,
  accountId: string,
  identity: ProvenIdentity,
  origin: Origin,
  { first = false }: { first?: boolean } = {},
): Promise<Linked> {
  return transact(db, async (trx): Promise<Linked> => {
    const before = await countOtherWaysIn(trx, accountId, {})
    if (first && before > 0) return { ok: false, code: 'way_in_exists' }
    const id = await insertIdentity(trx, accountId, identity)
    if (id === undefined) {
      const own = await trx
        .selectFrom('identities')
        .select('id')
        .where('accountId', '=', accountId)
        .where('providerId', '=', identity.providerId)
        .where('issuer', '=', identity.issuer)
        .where('subject', '=', identity.subject)
        .executeTakeFirst()
      return own ? { ok: true, added: false } : { ok: false, code: 'identity_taken' }
    }
    if ((await listIdentities(trx, accountId)).length > mostIdentities) {
      await trx.deleteFrom('identities').where('id', '=', id).execute()
      return { ok: false, code: 'identities_too_many' }
    }
    await recordLinked(trx, accountId, identity, origin)
    await applyRoles(trx, { identityId: id, accountId }, identity, origin)
    if (!first) await tell(trx, { accountId, kind: 'provider_linked' }, origin)
    return { ok: true, added: true }
  })
}

/** Undefined when it is somebody's already. Inside the caller's transaction. */
export async function insertIdentity(
  trx: Db,
  accountId: string,
  identity: ProvenIdentity,
): Promise<string | undefined> {
  const { providerId, issuer, subject } = identity
  const made = await trx
    .insertInto('identities')
    .values({ id: newId(), accountId, providerId, issuer, subject, label: labelOf(identity) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  return made?.id
}

export function recordLinked(
  trx: Db,
  accountId: string,
  { providerId, issuer, subject }: ProvenIdentity,
  origin: Origin,
): Promise<void> {
  return record(trx, {
    type: 'identity.linked',
    actor: { kind: 'person', id: accountId },
    accountId,
    origin,
    detail: { providerId, issuer, subject },
  })
}

export type Unlinked = { ok: true } | { ok: false; code: 'identity_gone' | 'last_way_in' }

/** Only the person's own. Roles that came from there go with it. */
export function unlinkIdentity(
  db: Db,
  { id, accountId }: { id: string; accountId: string },
  origin: Origin,
): Promise<Unlinked> {
  return transact(db, async (trx): Promise<Unlinked> => {
    const others = await countOtherWaysIn(trx, accountId, { identityId: id })
    const identity = await trx
      .selectFrom('identities')
      .select(['providerId', 'issuer', 'subject'])
      .where('id', '=', id)
      .where('accountId', '=', accountId)
      .executeTakeFirst()
    if (!identity) return { ok: false, code: 'identity_gone' }
    if (others === 0) return { ok: false, code: 'last_way_in' }
    await applyRoles(trx, { identityId: id, accountId }, { roles: [] }, origin)
    await trx.deleteFrom('identities').where('id', '=', id).execute()
    const actor = { kind: 'person', id: accountId } as const
    await record(trx, { type: 'identity.unlinked', actor, accountId, origin, detail: identity })
    await tell(trx, { accountId, kind: 'provider_unlinked' }, origin)
    return { ok: true }
  })
}

/** What the person knows their account there by. */
export function labelOf({ email, username, name, subject }: ProvenIdentity): string {
  return email ?? username ?? name ?? subject
}
