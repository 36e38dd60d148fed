/**
 * Pairwise subjects (OpenID Connect Core §8.1): a person has one `sub` for the clients of a sector and another
 * everywhere else, and nobody without our secret can tell that they are the same.
 */
import { createHmac } from 'node:crypto'
import { type Client, type KoaContextWithOIDC, Provider } from 'oidc-provider'

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

const making = ['registration', 'client_update']

/** The engine's `sectorIdentifierUriValidate`: where a client is made or changed, not each time it is loaded. */
export function readsSector(always: boolean): () => boolean {
  return () => always || making.includes(Provider.ctx?.oidc.route ?? '')
}
