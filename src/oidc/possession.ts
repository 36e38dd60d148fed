/**
 * Proof that whoever asks holds a key, for grants of our own: the engine checks proofs for its own grants alone. The
 * one import of the engine's private files; it has no other door to the nonces it gives out.
 */
import { createHash, type X509Certificate } from 'node:crypto'
import type { Context } from 'koa'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { StoredClient } from '../clients/clients.ts'
import type { FindCertificate } from './mutual-tls.ts'

type Proof = { thumbprint: string; jti: string }
type ValidateDpop = (
  provider: unknown,
  ctx: KoaContextWithOIDC,
  accessToken?: string,
) => Promise<Proof | undefined>

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

/**
 * The key that a proof at a door of ours shows to hold (RFC 9449 §7), for the token that it comes with; undefined without
 * one. Throws as the engine does; the proof is spent here. What `ctx` answers may get a nonce.
 */
export async function proveAtDoor(
  ctx: Context,
  {
    provider,
    url,
    accessToken,
    client,
  }: { provider: Provider; url: string; accessToken: string; client: StoredClient },
): Promise<string | undefined> {
  const seen = {
    method: ctx.method,
    req: ctx.req,
    get: (name: string) => ctx.get(name),
    set: (name: string, value: string) => ctx.set(name, value),
    oidc: {
      provider,
      route: 'api',
      urlFor: () => url,
      client: {
        profile: client.profile,
        dpopBoundAccessTokens: client.metadata.dpop_bound_access_tokens === true,
      },
    },
  } as unknown as KoaContextWithOIDC
  const proof = await validateDpop(provider, seen, accessToken)
  if (!proof) return undefined
  const { ReplayDetection } = provider as unknown as { ReplayDetection: Replays }
  const exp = Math.floor(Date.now() / 1000) + proofSeconds
  if (!(await ReplayDetection.unique(client.id, proof.jti, exp))) {
    throw new errors.InvalidDpopProof('DPoP proof JWT Replay detected')
  }
  return proof.thumbprint
}

/** As tokens name a certificate (RFC 8705 §3.1). */
export function thumbprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('base64url')
}
