/**
 * Access tokens that no code of ours stands behind: exchanged for another token, or given for somebody's assertion.
 * Each hangs on a grant of its own that ends when it does, and earlier when one ends that it came from.
 */
import type { Client, KoaContextWithOIDC } from 'oidc-provider'
import { randomToken } from '../crypto.ts'
import type { Row } from '../sessions/artefacts.ts'
import type { Possession } from './possession.ts'
import { unitOfWork } from './unit-of-work.ts'

export type Derived = {
  accountId: string
  /** Whom it is for; without one userinfo takes it. */
  target?: Target
  scopes: string[]
  /** It never outlives this; seconds since 1970. */
  until: number
  /** The grant that it came from. */
  parent?: Row
  /** What it held for other APIs, so that no way back gives more. */
  held?: Record<string, string>
  /** Beside the members of the standards. */
  claims: Record<string, unknown>
  shown: Possession
}

/** An API gets what it takes; a client asks us, or it could take a JWT for an ID token (RFC 9068 §5). */
export type Target = {
  audience: string
  scope: string
  lifetimeSeconds?: number
  format: 'jwt' | 'opaque'
  alg?: string
}

type Token = {
  kind: string
  aud?: string
  scope?: string
  jti: string
  tokenType: string
  expiration: number
  setThumbprint(kind: 'jkt' | 'x5t', value: unknown): void
  save(): Promise<string>
}
type Constructor = new (input: object) => Token

const claimsOf = new WeakMap<object, Record<string, unknown>>()

/** What `extraTokenClaims` adds to such a token. */
export function claimsOfDerived(token: object): Record<string, unknown> {
  return claimsOf.get(token) ?? {}
}

/** Writes grant and token into the unit of work. */
export async function issueDerived(ctx: KoaContextWithOIDC, derived: Derived) {
  const { provider } = ctx.oidc
  const client = ctx.oidc.client as Client
  const { target, scopes, accountId, shown } = derived
  const now = Math.floor(Date.now() / 1000)
  const { AccessToken, ResourceServer } = provider as unknown as {
    AccessToken: Constructor & { expiresIn(ctx: unknown, token: unknown, client: unknown): number }
    ResourceServer: new (identifier: string, info: object) => object
  }
  const resourceServer = target && new ResourceServer(target.audience, resourceInfo(target))
  const usual = AccessToken.expiresIn(ctx, { resourceServer }, client)
  const expiresIn = Math.max(1, Math.min(usual, derived.until - now))
  const grantId = writeGrant(client.clientId, { ...derived, until: now + expiresIn })
  const token = new AccessToken({
    accountId,
    client,
    grantId,
    gty: String(ctx.oidc.params?.grant_type).split(':').at(-1),
    expiresIn,
    ...(resourceServer ? { resourceServer } : {}),
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
  })
  if (shown.jkt) token.setThumbprint('jkt', shown.jkt)
  else if (shown.certificate && client.tlsClientCertificateBoundAccessTokens) {
    token.setThumbprint('x5t', shown.certificate)
  }
  claimsOf.set(token, derived.claims)
  ctx.oidc.entity('AccessToken', token as never)
  const value = await token.save()
  return {
    access_token: value,
    token_type: token.tokenType,
    expires_in: token.expiration,
    ...(token.scope ? { scope: token.scope } : {}),
  }
}

function resourceInfo({ audience, scope, format, alg, lifetimeSeconds }: Target) {
  return {
    audience,
    scope,
    ...(lifetimeSeconds === undefined ? {} : { accessTokenTTL: lifetimeSeconds }),
    accessTokenFormat: format,
    ...(format === 'jwt' ? { jwt: { sign: { alg } } } : {}),
  }
}

/** Not by the engine: its Grant knows neither parents nor an end of its own. */
function writeGrant(clientId: string, { accountId, parent, held, target, scopes, until }: Derived) {
  const id = randomToken()
  const parents = parent ? [String(parent.id), ...((parent.parents ?? []) as string[])] : []
  const scope = scopes.join(' ')
  unitOfWork().writes.set(`Grant:${id}`, {
    kind: 'insert',
    into: 'grants',
    row: {
      id,
      account_id: accountId,
      client_id: clientId,
      // What ends the session ends this too, unless it was allowed to outlive it.
      session_uid: parent?.session_uid ?? null,
      offline: parent?.offline === true,
      scopes: target ? [] : scopes,
      claims: [],
      resources: target ? { ...held, [target.audience]: scope } : { ...held },
      rest: {},
      parents,
      created_at: new Date(),
      expires_at: new Date(until * 1000),
    },
  })
  return id
}
