/**
 * Proof that whoever asks holds a key, for grants of our own: the engine checks proofs for its own grants alone. The
 * one import of the engine's private files; it has no other door to the nonces it gives out.
 */
import { createHash, type X509Certificate } from 'node:crypto'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { FindCertificate } from './mutual-tls.ts'

type Proof = { thumbprint: string; jti: string }
type ValidateDpop = (provider: unknown, ctx: KoaContextWithOIDC) => Promise<Proof | undefined>

// As a value, so that the compiler does not look for types that are not there.
const privateFile: string = 'oidc-provider/lib/helpers/validate_dpop.js'
const { default: validateDpop } = (await import(privateFile)) as { default: ValidateDpop }

/** How long a proof is remembered (dpop.ts). */
const proofSeconds = 300

/** What the request proves to hold, each by its thumbprint. */
export type Possession = { jkt?: string; certificate?: X509Certificate; x5t?: string }

type Replays = { unique(issuer: string, jti: string, exp: number): Promise<boolean> }

/**
 * Throws as the engine does: a bad proof, one that was used before, a client that is held to proofs and shows none.
 * The proof is spent here.
 */
export async function provePossession(
  ctx: KoaContextWithOIDC,
  findCertificate: FindCertificate,
): Promise<Possession> {
  const { client, provider } = ctx.oidc
  const proof = await validateDpop(provider, ctx)
  if (!proof && client?.dpopBoundAccessTokens) {
    throw new errors.InvalidGrant('DPoP proof JWT not provided')
  }
  const certificate = findCertificate(ctx)
  if (!certificate && client?.tlsClientCertificateBoundAccessTokens) {
    throw new errors.InvalidGrant('mutual TLS client certificate not provided')
  }
  if (proof) {
    const { ReplayDetection } = provider as unknown as { ReplayDetection: Replays }
    const exp = Math.floor(Date.now() / 1000) + proofSeconds
    if (!(await ReplayDetection.unique(String(client?.clientId), proof.jti, exp))) {
      throw new errors.InvalidGrant('DPoP proof JWT Replay detected')
    }
  }
  return {
    ...(proof ? { jkt: proof.thumbprint } : {}),
    ...(certificate ? { certificate, x5t: thumbprintOf(certificate) } : {}),
  }
}

/** Whether what a token is bound to (RFC 7800) is what was shown; a token that is bound to nothing fits. */
export function holdsKeyOf(
  cnf: { jkt?: unknown; 'x5t#S256'?: unknown } | undefined,
  shown: Possession,
): boolean {
  if (cnf?.jkt !== undefined && cnf.jkt !== shown.jkt) return false
  return cnf?.['x5t#S256'] === undefined || cnf['x5t#S256'] === shown.x5t
}

function thumbprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}
