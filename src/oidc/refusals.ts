/**
 * Why a request was refused, kept for a week under a short reference that whoever was refused is shown: on the
 * page, or in `error_uri`. `idp explain` reads it. Nothing secret and no person is kept.
 */
import { randomInt } from 'node:crypto'
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { type AddressDifference, explainAddress } from '../clients/address-difference.ts'
import type { Db } from '../database/connection.ts'
import { challengePath } from './authorization-challenge.ts'
import type { ClientCache } from './client-cache.ts'

export type RefusalDetail = {
  /** The public text and the engine's private one. */
  description?: string | undefined
  cause?: string | undefined
  redirectUri?: AddressDifference
  postLogoutRedirectUri?: AddressDifference
  requestedScope?: string
  grantType?: string
  requestedAcr?: string
  requestId?: string
}

/** Answers that are part of an ordinary flow: nobody needs them explained, and they come often. */
const ordinary = new Set([
  'insufficient_authorization',
  'redirect_to_web',
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
  'access_denied',
  'authorization_pending',
  'slow_down',
  'expired_token',
  'use_dpop_nonce',
])

export function isWorthKeeping(error: string): boolean {
  return !ordinary.has(error)
}

/** Eight characters that nobody mixes up, in two groups: 40 random bits. */
export function newReference(): string {
  const alphabet = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'
  const characters = Array.from({ length: 8 }, () => alphabet[randomInt(alphabet.length)])
  return `${characters.slice(0, 4).join('')}-${characters.slice(4).join('')}`
}

/** Writes the refusal and gives its reference. */
export async function keepRefusal(
  { db, clients }: { db: Db; clients: ClientCache },
  ctx: KoaContextWithOIDC,
  out: ErrorOut,
  error?: Error,
): Promise<string> {
  const reference = newReference()
  const clientId = ctx.oidc?.client?.clientId ?? parameterOf(ctx, 'client_id')
  const client = clientId ? await clients.client(clientId) : undefined
  const detail: RefusalDetail = {
    description: out.error_description,
    cause:
      (error as { error_detail?: string } | undefined)?.error_detail ?? ctx.state.refusedBecause,
    ...addressDetail(ctx, client?.metadata ?? {}),
    ...textDetail(ctx, 'scope', 'requestedScope'),
    ...textDetail(ctx, 'grant_type', 'grantType'),
    ...textDetail(ctx, 'acr_values', 'requestedAcr'),
    requestId: ctx.state.requestId,
  }
  await db
    .insertInto('refusals')
    .values({
      reference,
      endpoint: (ctx.state.challengeRequest ? challengePath : ctx.path).slice(0, 100),
      clientId: clientId?.slice(0, 500) ?? null,
      error: out.error,
      detail: JSON.stringify(detail),
    })
    .execute()
  return reference
}

function addressDetail(
  ctx: KoaContextWithOIDC,
  metadata: { redirect_uris?: string[]; post_logout_redirect_uris?: string[] },
): Pick<RefusalDetail, 'redirectUri' | 'postLogoutRedirectUri'> {
  const detail: Pick<RefusalDetail, 'redirectUri' | 'postLogoutRedirectUri'> = {}
  const { redirect_uris: registered = [], post_logout_redirect_uris: afterLogout = [] } = metadata
  const redirect = parameterOf(ctx, 'redirect_uri')
  if (redirect !== undefined && !registered.includes(redirect)) {
    detail.redirectUri = explainAddress(redirect, registered)
  }
  const logout = parameterOf(ctx, 'post_logout_redirect_uri')
  if (logout !== undefined && !afterLogout.includes(logout)) {
    detail.postLogoutRedirectUri = explainAddress(logout, afterLogout)
  }
  return detail
}

function textDetail(ctx: KoaContextWithOIDC, name: string, as: string): Record<string, string> {
  const value = parameterOf(ctx, name)
  return value === undefined ? {} : { [as]: value.slice(0, 300) }
}

/** A parameter as the engine read it, else as it came. */
export function parameterOf(ctx: KoaContextWithOIDC, name: string): string | undefined {
  const body = ctx.oidc?.body as Record<string, unknown> | undefined
  const value = ctx.oidc?.params?.[name] ?? ctx.query[name] ?? body?.[name]
  return typeof value === 'string' ? value : undefined
}
