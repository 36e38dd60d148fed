import type { JWTPayload, JWTVerifyGetKey } from 'jose'

export type Needs = { scope?: string; role?: string; permission?: string }
export type Checked =
  | { claims: JWTPayload; status?: undefined; challenge?: undefined }
  | { claims?: undefined; status: 401 | 403; challenge: string }
export type Guard = { check(authorization: string | undefined, needs?: Needs): Promise<Checked> }

export function createGuard(options: {
  issuer: string
  audience: string
  keys?: JWTVerifyGetKey
}): Guard
export function allows(
  claims: JWTPayload,
  permission: string,
  about?: { id?: string; owner?: string },
): boolean
