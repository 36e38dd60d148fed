/** Who we are to an authenticator: the domain that passkeys are made for, and where they may be used. */
import { isIP } from 'node:net'
import type { Config } from '../config.ts'

export type RelyingParty = {
  /** A domain: passkeys work there, and nowhere else. */
  id: string
  name: string
  /** Exactly as browsers say it. */
  origin: string
}

/** Undefined where the issuer is a bare address: browsers make no passkeys for those (WebAuthn §5.1.3). */
export function relyingPartyOf({
  issuer,
  brandName,
}: Pick<Config, 'issuer' | 'brandName'>): RelyingParty | undefined {
  const { hostname, origin } = new URL(issuer)
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return undefined
  return { id: hostname, name: brandName, origin }
}
