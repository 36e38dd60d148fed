/** What an app signs with keys of its own: assertions of who it is, requests, proofs that it holds a key. */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { randomToken, sha256 } from '../../src/crypto.ts'

export type Claims = Record<string, unknown>

export type Key = {
  alg: string
  publicJwk: JWK & { kid: string }
  /** RFC 7638. */
  thumbprint: string
  /** Undefined leaves a claim out. */
  sign(claims: Claims, header?: Claims): Promise<string>
}

export async function createKey(alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const thumbprint = await calculateJwkThumbprint(jwk)
  const kid = thumbprint.slice(0, 8)
  return {
    alg,
    thumbprint,
    publicJwk: { ...jwk, kid, alg, use: 'sig' },
    sign: (claims, header = {}) =>
      new SignJWT(withoutUndefined(claims))
        .setProtectedHeader({ alg, kid, ...header } as { alg: string })
        .sign(privateKey),
  }
}

/** Seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** RFC 7523, good for a minute; `changes` replace claims and header. */
export function signAssertion(
  key: Key,
  { clientId, audience }: { clientId: string; audience: string },
  changes: Claims = {},
  header: Claims = {},
): Promise<string> {
  return key.sign(
    {
      iss: clientId,
      sub: clientId,
      aud: audience,
      jti: randomToken(12),
      iat: now(),
      exp: now() + 60,
      ...changes,
    },
    header,
  )
}

export function asCredentials(assertion: string) {
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  }
}

/** RFC 9101: the parameters of a request, signed. */
export function signRequest(
  key: Key,
  { clientId, audience }: { clientId: string; audience: string },
  parameters: URLSearchParams,
  changes: Claims = {},
  header: Claims = {},
): Promise<string> {
  return key.sign(
    {
      ...Object.fromEntries(parameters),
      iss: clientId,
      aud: audience,
      iat: now(),
      nbf: now(),
      exp: now() + 300,
      ...changes,
    },
    { typ: 'oauth-authz-req+jwt', ...header },
  )
}

export type Prover = Key & {
  /** What the server gave last. */
  nonce: string | undefined
  prove(request: Proven, changes?: Claims, header?: Claims): Promise<string>
}

type Proven = { method: string; url: string; accessToken?: string | undefined }

/** RFC 9449: proves with each request that it holds one and the same key. */
export async function createProver(alg = 'ES256'): Promise<Prover> {
  const key = await createKey(alg)
  const { kid: _kid, use: _use, alg: _alg, ...jwk } = key.publicJwk
  const prover: Prover = {
    ...key,
    nonce: undefined,
    prove({ method, url, accessToken }, changes = {}, header = {}) {
      const claims = {
        htm: method,
        htu: url,
        jti: randomToken(12),
        iat: now(),
        nonce: prover.nonce,
        ath: accessToken && sha256(accessToken).toString('base64url'),
        ...changes,
      }
      return key.sign(claims, { typ: 'dpop+jwt', jwk, kid: undefined, ...header })
    },
  }
  return prover
}

function withoutUndefined(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}
