/**
 * The policy of second factors for everything here, as a row that an operator changes while it runs: settings of the
 * environment need a restart of every process at once, and this is for the hour in which an attack begins.
 */
import { sql } from 'kysely'
import { z } from 'zod'
import { type Actor, record } from '../audit/audit.ts'
import { secondFactors, secondFactorTimes } from '../clients/second-factor.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'
import { defaultPolicy, type SignInPolicy } from './sign-in-policy.ts'

const name = 'second-factor'
const schema = z.strictObject({
  when: z.enum(secondFactorTimes),
  factors: z.array(z.enum(secondFactors)),
  rememberDays: z.number().int().min(0).max(365),
})

export async function readSignInPolicy(db: Db): Promise<SignInPolicy> {
  const row = await db
    .selectFrom('settings')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row ? schema.parse({ ...defaultPolicy, ...row.value }) : defaultPolicy
}

/** Returns the whole as it is now. Throws `policy_invalid` (400). */
export function changeSignInPolicy(
  db: Db,
  change: Partial<SignInPolicy>,
  actor: Actor,
): Promise<SignInPolicy> {
  return transact(db, async (trx) => {
    // One change after the other: each keeps what the other has set.
    await sql`select pg_advisory_xact_lock(hashtext(${`settings ${name}`}))`.execute(trx)
    const parsed = schema.safeParse({ ...(await readSignInPolicy(trx)), ...change })
    if (!parsed.success) {
      throw new AppError('policy_invalid', 400, { detail: z.prettifyError(parsed.error) })
    }
    const value = JSON.stringify(parsed.data)
    await trx
      .insertInto('settings')
      .values({ name, value })
      .onConflict((on) => on.column('name').doUpdateSet({ value, updatedAt: sql`now()` }))
      .execute()
    await bumpVersion(trx, 'settings')
    await record(trx, { type: 'settings.changed', actor, detail: { name, ...parsed.data } })
    return parsed.data
  })
}
