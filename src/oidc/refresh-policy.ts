/**
 * Whether a client's refresh tokens rotate. Where they do, each new one begins its idle time anew; where they do not,
 * the use of the one there is moves its end, never beyond the life of the family.
 */
import type { Client, KoaContextWithOIDC } from 'oidc-provider'
import { sha256 } from '../crypto.ts'
import { refreshSeconds } from './lifetimes.ts'
import { unitOfWork } from './unit-of-work.ts'

/** The engine's `rotateRefreshToken`, asked once per refresh that is otherwise in order. */
export function rotateRefreshToken(ctx: KoaContextWithOIDC): boolean {
  const { client, refreshToken } = ctx.oidc
  if (client?.refresh_rotation !== false) return true
  if (refreshToken) extend(client, refreshToken as unknown as Token)
  return false
}

type Token = { jti: string; totalLifetime(): number }

function extend(client: Client, token: Token): void {
  unitOfWork().writes.set('extend:RefreshToken', {
    kind: 'extend',
    idHash: sha256(token.jti),
    until: new Date(Date.now() + refreshSeconds(client, token) * 1000),
  })
}
