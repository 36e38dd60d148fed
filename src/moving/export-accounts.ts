/**
 * Accounts go out, in the format of account-line.ts: a page at a time, so that any number of them takes little memory.
 * Authenticator apps and recovery codes stay: their secrets are sealed with this deployment's key. Pictures stay too.
 */
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { type AccountLine, formatName, formatVersion } from './account-line.ts'

const pageSize = 500

export type ExportOptions = { withHashes: boolean; issuer: string; actor: Actor }

export type Exported = {
  accounts: number
  /** Have never proven an address, or are being deleted. */
  leftOut: number
  /** Of the exported: have an authenticator app or recovery codes, which stay here. */
  withFactors: number
}

export async function countAccounts(db: Db): Promise<number> {
  const { rows } = await sql<{ count: string }>`select count(*) as count from accounts`.execute(db)
  return Number(rows[0]?.count ?? 0)
}

/** `write` takes a line at a time and resolves when there is room for the next. */
export async function exportAccounts(
  db: Db,
  { withHashes, issuer, actor }: ExportOptions,
  write: (line: string) => Promise<void>,
  onProgress: (read: number) => void = () => {},
): Promise<Exported> {
  const counts: Exported = { accounts: 0, leftOut: 0, withFactors: 0 }
  // Before the first byte: who took them is known even when they stop in the middle.
  await record(db, { type: 'accounts.exported', actor, detail: { hashes: withHashes } })
  const head = { version: formatVersion, format: formatName, issuer, hashes: withHashes }
  await write(JSON.stringify({ ...head, exported_at: new Date().toISOString() }))
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const page = await readPage(db, after)
    for (const row of page) {
      if (row.email === null || row.status === 'unverified' || row.status === 'deleted') {
        counts.leftOut++
        continue
      }
      counts.accounts++
      if (row.factors) counts.withFactors++
      await write(JSON.stringify(lineOf(row, withHashes)))
    }
    const last = page.at(-1)
    if (!last) return counts
    after = last.id
    onProgress(counts.accounts + counts.leftOut)
  }
}

type PasskeyRow = {
  credential_id: string
  public_key: string
  aaguid: string
  domain: string
  created_at: string
  [member: string]: unknown
}

function readPage(db: Db, after: string) {
  const b64 = (column: string) => sql.raw(`encode(k.${column}, 'base64')`)
  return db
    .selectFrom('accounts')
    .selectAll()
    .select([
      sql<
        string[]
      >`array(select role from account_roles r where r.account_id = accounts.id order by role)`.as(
        'roles',
      ),
      sql<
        string[]
      >`array(select group_name from group_members m where m.account_id = accounts.id order by group_name)`.as(
        'groups',
      ),
      sql<Buffer | null>`(select user_handle from passkey_holders h where h.account_id = accounts.id)`.as(
        'userHandle',
      ),
      sql<PasskeyRow[] | null>`(select json_agg(json_build_object(
        'credential_id', ${b64('credential_id')}, 'public_key', ${b64('public_key')}, 'counter', k.counter,
        'transports', k.transports, 'backup_eligible', k.backup_eligible, 'backed_up', k.backed_up,
        'aaguid', k.aaguid, 'domain', k.rp_id, 'name', k.name, 'created_at', k.created_at) order by k.id)
        from passkeys k where k.account_id = accounts.id)`.as('passkeys'),
      sql<boolean>`exists (select from authenticators f where f.account_id = accounts.id)
        or exists (select from recovery_codes f where f.account_id = accounts.id)`.as('factors'),
    ])
    .where('id', '>', after)
    .orderBy('id')
    .limit(pageSize)
    .execute()
}

type Row = Awaited<ReturnType<typeof readPage>>[number]

function lineOf(row: Row, withHashes: boolean): AccountLine {
  const url = (base64: string) => Buffer.from(base64, 'base64').toString('base64url')
  const line: AccountLine = {
    id: row.id,
    username: row.username,
    email: row.email,
    email_verified: true,
    name: row.name,
    given_name: row.givenName,
    family_name: row.familyName,
    locale: row.locale,
    zoneinfo: row.zoneinfo,
    phone_number: row.phoneNumber,
    phone_number_verified: row.phoneNumberVerifiedAt !== null,
    address: row.address,
    status: row.status === 'disabled' ? 'disabled' : 'active',
    disabled_reason: row.disabledReason,
    roles: row.roles,
    groups: row.groups,
    created_at: row.createdAt.toISOString(),
    passkey_handle: row.userHandle?.toString('base64url'),
    passkeys: row.passkeys?.map((key) => ({
      ...key,
      credential_id: url(key.credential_id),
      public_key: url(key.public_key),
      created_at: new Date(key.created_at).toISOString(),
    })) as AccountLine['passkeys'],
    ...(withHashes
      ? {
          password_hash: row.passwordHash,
          password_changed_at: row.passwordChangedAt?.toISOString(),
        }
      : {}),
  }
  const said = Object.entries(line).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries(said) as AccountLine
}
