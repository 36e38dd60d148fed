/** What somebody could sign in by, as admins see it. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'

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
