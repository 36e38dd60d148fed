/** How an account looks to programs. */
import { sql } from 'kysely'
import type { Account } from '../accounts/accounts.ts'
import { listPasskeys, type Passkey } from '../credentials/passkeys.ts'
import type { Db } from '../database/connection.ts'
import { listGroupsOf, listHeldRoles } from '../roles/holders.ts'

/** What the person could prove, as policies name it; a proven address counts where a mailed code does. */
export async function listFactors(db: Db, accountId: string): Promise<string[]> {
  const { rows } = await sql<{ factor: string }>`
    select 'password' as factor from accounts where id = ${accountId} and password_hash is not null
    union all
    select 'passkey' from passkeys where account_id = ${accountId}
    union all
    select 'totp' from authenticators where account_id = ${accountId}
    union all
    select 'recovery-code' from recovery_codes where account_id = ${accountId} and used_at is null
    `.execute(db)
  return [...new Set(rows.map(({ factor }) => factor))]
}

/** The claims' names where there are some. `factors`: with what they sign in by, beside the password. */
export async function userJson(
  db: Db,
  account: Account,
  { factors = false } = {},
): Promise<Record<string, unknown>> {
  return {
    id: account.id,
    username: account.username,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    name: account.name,
    ...(account.address ? { address: account.address } : {}),
    ...(account.phoneNumber
      ? {
          phone_number: account.phoneNumber,
          phone_number_verified: account.phoneNumberVerifiedAt !== null,
        }
      : {}),
    ...(factors
      ? {
          factors: await listFactors(db, account.id),
          passkeys: (await listPasskeys(db, account.id)).map(passkeyJson),
        }
      : {}),
    status: account.status,
    roles: (await listHeldRoles(db, account.id)).map(({ role }) => role),
    groups: await listGroupsOf(db, account.id),
    created_at: account.createdAt.toISOString(),
  }
}

function passkeyJson({ id, name, rpId, backedUp, createdAt, lastUsedAt }: Passkey) {
  return {
    id,
    name,
    domain: rpId,
    backed_up: backedUp,
    created_at: createdAt.toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
  }
}
