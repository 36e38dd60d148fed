/**
 * Pairwise subjects (OpenID Connect Core §8.1): a person has one `sub` for the clients of a sector and another
 * everywhere else, and nobody without our secret can tell that they are the same.
 */
import { createHmac } from 'node:crypto'
import type { Client, KoaContextWithOIDC } from 'oidc-provider'

/** `secret` must never change, or every app meets strangers (lasting-secrets.ts). */
export function pairwiseSubject(secret: Buffer, sector: string, accountId: string): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify([sector, accountId]))
    .digest('base64url')
}

/** The engine's `pairwiseIdentifier`. */
export function pairwiseIdentifier(secret: Buffer) {
  return async (_ctx: KoaContextWithOIDC, accountId: string, client: Client): Promise<string> =>
    pairwiseSubject(secret, String(client.sectorIdentifier), accountId)
}
