/** `jti` values that may come once: client assertions and DPoP proofs (RFC 7523 §3, RFC 9449 §11.1). */
import type { Provider } from 'oidc-provider'
import { sha256 } from '../crypto.ts'
import type { Queryable } from '../sessions/reads.ts'

/** A proof from a minute ahead is good for longer than the engine says (dpop.ts). */
const spareSeconds = 120

/** Replaces the engine's look-then-insert by one insert: of twenty identical proofs at once one is new. */
export function detectReplaysByInsert(provider: Provider, db: Queryable): void {
  const { ReplayDetection } = provider as unknown as {
    ReplayDetection: { unique(issuer: string, jti: string, exp: number): Promise<boolean> }
  }
  ReplayDetection.unique = async (issuer, jti, exp) => {
    const { rowCount } = await db.query({
      name: 'replay_detection',
      text: `insert into replay_detection (id_hash, expires_at) values ($1, to_timestamp($2))
        on conflict (id_hash) do nothing`,
      values: [sha256(JSON.stringify([issuer, jti])), exp + spareSeconds],
    })
    return rowCount === 1
  }
}
