/**
 * Somebody whom an upstream knows and we do not, kept in the flow that has proven it until they make an account or link it
 * to one. Sealed and bound to the flow, which is bound to its browser.
 */
import { sql } from 'kysely'
import { type Keyring, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { ProvenIdentity } from './claims.ts'

const purpose = 'upstream-proof'
const lifetime = sql<Date>`now() + interval '1 hour'`
type Deps = { db: Db; keyring: Keyring }

/** The newest of a flow counts. */
export async function keepProof(
  { db, keyring }: Deps,
  flowId: string,
  identity: ProvenIdentity,
): Promise<void> {
  const sealed = keyring.seal(purpose, flowId, JSON.stringify(identity))
  const { providerId } = identity
  await db
    .insertInto('upstreamProofs')
    .values({ flowHash: sha256(flowId), providerId, sealed, expiresAt: lifetime })
    .onConflict((conflict) =>
      conflict.column('flowHash').doUpdateSet({ providerId, sealed, expiresAt: lifetime }),
    )
    .execute()
}

/** Undefined when it is too old, done, or its provider is switched off. */
export async function readProof(
  { db, keyring }: Deps,
  flowId: string,
): Promise<ProvenIdentity | undefined> {
  const row = await db
    .selectFrom('upstreamProofs')
    .innerJoin('providers', 'providers.id', 'upstreamProofs.providerId')
    .select('upstreamProofs.sealed')
    .where('flowHash', '=', sha256(flowId))
    .where('providers.enabled', '=', true)
    .where('expiresAt', '>', sql<Date>`now()`)
    .executeTakeFirst()
  return row && JSON.parse(keyring.open(purpose, flowId, row.sealed).toString())
}

/** Once. */
export async function spendProof(db: Db, flowId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('upstreamProofs')
    .where('flowHash', '=', sha256(flowId))
    .where('expiresAt', '>', sql<Date>`now()`)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
