/** The statements of one batch of an import, inside its transaction. Unique constraints decide who is here already. */
import type { Actor } from '../audit/audit.ts'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { bumpVersion } from '../database/versions.ts'
import type { CheckedAccount } from './account-line.ts'

export type Candidate = { number: number; account: CheckedAccount }

export type Written = {
  inserted: Candidate[]
  already: Candidate[]
  /** `field`: what of them belongs to somebody else. */
  conflicts: { number: number; field: 'username' | 'email' | 'id' }[]
}

export async function insertBatch(
  trx: Db,
  batch: Candidate[],
  { actor, source }: { actor: Actor; source: string },
): Promise<Written> {
  const rows = await trx
    .insertInto('accounts')
    .values(batch.map(({ account }) => accountRow(account)))
    .onConflict((conflict) => conflict.doNothing())
    .returning(['id', 'username', 'emailCanonical'])
    .execute()
  const keyOf = (row: { id: string; username: string; emailCanonical: string | null }) =>
    `${row.id} ${row.username} ${row.emailCanonical}`
  const keys = new Set(rows.map(keyOf))
  const inserted: Candidate[] = []
  const left: Candidate[] = []
  for (const candidate of batch) {
    // Of two lines that say the same the first is in.
    if (keys.delete(keyOf(candidate.account))) inserted.push(candidate)
    else left.push(candidate)
  }
  await insertBelongings(
    trx,
    inserted.map(({ account }) => account),
  )
  await insertEvents(trx, inserted, { actor, source })
  return { inserted, ...(await judgeLeft(trx, left)) }
}

function accountRow(account: CheckedAccount) {
  return {
    id: account.id,
    username: account.username,
    usernameSkeleton: account.skeleton,
    status: account.status,
    passwordHash: account.passwordHash,
    passwordChangedAt:
      account.passwordHash === null ? null : (account.passwordChangedAt ?? account.createdAt),
    email: account.email,
    emailCanonical: account.emailCanonical,
    emailVerifiedAt: account.createdAt,
    name: account.name,
    givenName: account.givenName,
    familyName: account.familyName,
    locale: account.locale,
    zoneinfo: account.zoneinfo,
    phoneNumber: account.phoneNumber,
    phoneNumberVerifiedAt: account.phoneVerified ? account.createdAt : null,
    address: account.address === null ? null : JSON.stringify(account.address),
    disabledReason: account.disabledReason,
    createdAt: account.createdAt,
  }
}

async function insertBelongings(trx: Db, accounts: CheckedAccount[]): Promise<void> {
  const roles = accounts.flatMap(({ id, roles }) => roles.map((role) => ({ accountId: id, role })))
  if (roles.length > 0) {
    await bumpVersion(trx, 'roles')
    await trx.insertInto('accountRoles').values(roles).execute()
  }
  const members = accounts.flatMap(({ id, groups }) =>
    groups.map((groupName) => ({ accountId: id, groupName })),
  )
  if (members.length > 0) await trx.insertInto('groupMembers').values(members).execute()
  const holders = accounts.flatMap(({ id, passkeyHandle }) =>
    passkeyHandle ? [{ accountId: id, userHandle: passkeyHandle }] : [],
  )
  if (holders.length > 0) await trx.insertInto('passkeyHolders').values(holders).execute()
  const passkeys = accounts.flatMap(({ id, passkeys }) =>
    passkeys.map((key) => ({
      id: newId(),
      accountId: id,
      credentialId: key.credential_id,
      publicKey: key.public_key,
      counter: key.counter,
      transports: key.transports,
      backupEligible: key.backup_eligible,
      backedUp: key.backed_up,
      aaguid: key.aaguid,
      rpId: key.domain,
      name: key.name,
      createdAt: key.created_at,
    })),
  )
  if (passkeys.length > 0) await trx.insertInto('passkeys').values(passkeys).execute()
}

async function insertEvents(
  trx: Db,
  inserted: Candidate[],
  { actor, source }: { actor: Actor; source: string },
): Promise<void> {
  if (inserted.length === 0) return
  await trx
    .insertInto('auditEvents')
    .values(
      inserted.map(({ account }) => ({
        id: newId(),
        type: 'account.imported',
        actorKind: actor.kind,
        actorId: actor.id ?? null,
        accountId: account.id,
        clientId: null,
        address: null,
        requestId: null,
        detail: JSON.stringify({ username: account.username, from: source }),
      })),
    )
    .execute()
}

async function judgeLeft(
  trx: Db,
  left: Candidate[],
): Promise<Pick<Written, 'already' | 'conflicts'>> {
  if (left.length === 0) return { already: [], conflicts: [] }
  const of = (pick: (account: CheckedAccount) => string) => left.map(({ account }) => pick(account))
  const holders = await trx
    .selectFrom('accounts')
    .select(['id', 'username', 'usernameSkeleton', 'emailCanonical'])
    .where((where) =>
      where.or([
        where(
          'id',
          'in',
          of(({ id }) => id),
        ),
        where(
          'usernameSkeleton',
          'in',
          of(({ skeleton }) => skeleton),
        ),
        where(
          'emailCanonical',
          'in',
          of(({ emailCanonical }) => emailCanonical),
        ),
      ]),
    )
    .execute()
  const byId = new Map(holders.map((holder) => [holder.id, holder]))
  const names = new Set(holders.map(({ usernameSkeleton }) => usernameSkeleton))
  const already: Candidate[] = []
  const conflicts: Written['conflicts'] = []
  for (const candidate of left) {
    const { id, username, skeleton } = candidate.account
    const same = byId.get(id)
    if (same?.username === username) already.push(candidate)
    else {
      const field = same ? 'id' : names.has(skeleton) ? 'username' : 'email'
      conflicts.push({ number: candidate.number, field })
    }
  }
  return { already, conflicts }
}
