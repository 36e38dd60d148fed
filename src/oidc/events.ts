/**
 * What happened in the engine, told to audit and metrics. The engine's events fire before anything is written, so
 * what they cause waits until the unit of work has been flushed, and is dropped with it.
 */
import type { Context } from 'koa'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { ProtocolPages } from './protocol-pages.ts'
import { unitOfWork } from './unit-of-work.ts'

declare module 'koa' {
  interface DefaultState {
    /** What the engine met; http/faults.ts answers it. */
    fault?: unknown
    afterFlush?: (() => Promise<void>)[]
  }
}

export type ProtocolObserver = { tokensIssued(grantType: string): void }

type Options = { db: Db; pages: ProtocolPages; observer: ProtocolObserver }

export function listenToEngine(provider: Provider, { db, pages, observer }: Options): void {
  provider.on('server_error', (ctx, error) => {
    ctx.state.fault = error
  })
  provider.on('grant.success', (ctx) => {
    observer.tokensIssued(String(ctx.oidc.params?.grant_type))
  })
  provider.on('grant.revoked', (ctx, grantId) => {
    afterFlush(ctx, () => auditEndedGrant(db, ctx, grantId))
  })
  provider.on('end_session.success', (ctx) => {
    const { session, params } = ctx.oidc
    if (params?.logout === undefined || !session?.accountId) return
    const { accountId } = session
    const ended = {
      clientIds: Object.keys(session.authorizations ?? {}),
      askedBy: session.state?.clientId as string | undefined,
    }
    afterFlush(ctx, async () => {
      await pages.sessionEnded(ctx, ended)
      await record(db, {
        type: 'session.ended',
        actor: { kind: 'person', id: accountId },
        accountId,
        clientId: ended.askedBy,
        origin: ctx.state.origin,
      })
    })
  })
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

function afterFlush(ctx: KoaContextWithOIDC, act: () => Promise<void>): void {
  const { state } = ctx as unknown as Context
  state.afterFlush ??= []
  state.afterFlush.push(act)
}

export async function runAfterFlush(ctx: Context): Promise<void> {
  for (const act of ctx.state.afterFlush ?? []) await act()
}
