/**
 * What happened in the engine, told to audit and metrics. The engine's events fire before anything is written, so
 * what they cause waits until the unit of work has been flushed, and is dropped with it.
 */
import type { Context } from 'koa'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { nameSession } from '../federation/upstream-sessions.ts'
import { signOut } from '../sessions/end-sessions.ts'
import { tellApp } from '../sessions/logout-deliveries.ts'
import { addAuthSession } from './authorization-challenge.ts'
import type { ProtocolPages } from './protocol-pages.ts'
import { unitOfWork } from './unit-of-work.ts'

declare module 'koa' {
  interface DefaultState {
    /** What the engine met; http/faults.ts answers it. */
    fault?: unknown
    /** What the answer does not say, for `idp explain`. */
    refusedBecause?: string | undefined
    /** The request is a native sign-in; `web`: it asks for what only our pages can do. */
    challengeRequest?: { web: boolean }
    /** The next value for an app that has to go on. */
    authSession?: string
    /** What a stronger or more recent sign-in has to be (RFC 9470). */
    challenge?: Record<string, string | number>
    afterFlush?: (() => Promise<void>)[]
  }
}

export type ProtocolObserver = { tokensIssued(grantType: string): void }

type Options = { db: Db; pages: ProtocolPages; observer: ProtocolObserver }

export function listenToEngine(provider: Provider, { db, pages, observer }: Options): void {
  provider.on('server_error', (ctx, error) => {
    ctx.state.fault = error
  })
  provider.on('interaction.ended', (ctx) => {
    const { upstream } = (ctx.oidc.result?.login ?? {}) as { upstream?: string }
    const { uid } = ctx.oidc.session ?? {}
    if (upstream && uid) afterFlush(ctx, () => nameSession(db, upstream, uid))
  })
  provider.on('grant.success', (ctx) => {
    if (ctx.state.challengeRequest) return
    observer.tokensIssued(String(ctx.oidc.params?.grant_type))
  })
  provider.on('grant.error', (ctx, error) => {
    ctx.state.refusedBecause = (error as { error_detail?: string }).error_detail
    addAuthSession(ctx, error)
  })
  provider.on('grant.revoked', (ctx, grantId) => {
    afterFlush(ctx, () => auditEndedGrant(db, ctx, grantId))
  })
  provider.on('end_session.success', (ctx) => {
    const whole = ctx.oidc.params?.logout !== undefined
    afterFlush(ctx, () => (whole ? endWhole(db, ctx, pages) : leaveApp(db, ctx)))
  })
}

/** The person signs out: of the session's row goes what was true at this moment, other tabs included. */
async function endWhole(db: Db, ctx: KoaContextWithOIDC, pages: ProtocolPages): Promise<void> {
  const { session } = ctx.oidc
  if (!session) return
  const { uid, accountId, state } = session
  const askedBy = state?.clientId as string | undefined
  const ended = await signOut(db, { uid, accountId, askedBy }, ctx.state.origin)
  const clientIds = ended.parts.map(({ clientId }) => clientId)
  if (ended.sessions > 0) await pages.sessionEnded(ctx, { uid, clientIds, askedBy })
}

/** The person stays signed in, but not at the app that asked: the engine has taken it out of the session. */
async function leaveApp(db: Db, ctx: KoaContextWithOIDC): Promise<void> {
  const { client, session } = ctx.oidc
  const { uid, authorizations = {} } = unitOfWork().session ?? {}
  if (!client || !uid || !session?.accountId || !(client.clientId in authorizations)) return
  const part = { sessionUid: uid, accountId: session.accountId, clientId: client.clientId }
  await transact(db, (trx) => tellApp(trx, part))
}

/** By a replay at the token endpoint, by the app itself, or with the session that is being signed out. */
export async function auditEndedGrant(
  db: Db,
  ctx: KoaContextWithOIDC,
  grantId: string,
): Promise<void> {
  const { client, params, route } = ctx.oidc
  if (route !== 'token' && route !== 'revocation') return
  const what = params?.grant_type === 'refresh_token' ? 'refresh_token' : 'code'
  await record(db, {
    type: route === 'token' ? `${what}.replayed` : 'grant.revoked',
    actor: { kind: 'client', id: client?.clientId },
    accountId: unitOfWork().boundTo?.accountId,
    clientId: client?.clientId,
    origin: ctx.state.origin,
    detail: { grantId },
  })
}

/** `act` happens when everything was written, and not when that failed. */
export function afterFlush(ctx: KoaContextWithOIDC, act: () => Promise<void>): void {
  const { state } = ctx as unknown as Context
  state.afterFlush ??= []
  state.afterFlush.push(act)
}

export async function runAfterFlush(ctx: Context): Promise<void> {
  for (const act of ctx.state.afterFlush ?? []) await act()
}
