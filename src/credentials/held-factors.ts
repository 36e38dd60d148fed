/** What somebody could prove, asked of the database: a new factor is a line here. */
import type { Queryable } from '../database/reader.ts'
import type { Factor } from './step-up.ts'

/** Conditions on the account `a`. */
const isHeld: Record<Factor, string> = {
  password: 'a.password_hash is not null',
  federated: `exists (select from identities i join providers v on v.id = i.provider_id
    where i.account_id = a.id and v.enabled)`,
  passkey: 'exists (select from passkeys p where p.account_id = a.id)',
  totp: 'exists (select from authenticators t where t.account_id = a.id)',
  'mail-code': 'a.email_verified_at is not null',
  'recovery-code':
    'exists (select from recovery_codes r where r.account_id = a.id and r.used_at is null)',
}

const factors = Object.entries(isHeld).map(
  ([factor, held]) => `case when ${held} then '${factor}' end`,
)

/** None for an account that is not active. One statement. */
export async function findHeldFactors(db: Queryable, accountId: string): Promise<Factor[]> {
  const { rows } = await db.query<{ held: Factor[] }>({
    name: 'held_factors',
    text: `select array_remove(array[${factors.join(', ')}], null) as held
      from accounts a where a.id = $1 and a.status = 'active'`,
    values: [accountId],
  })
  return rows[0]?.held ?? []
}
