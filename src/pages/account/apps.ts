/** The apps that hold something of a person's, and taking it back. */
import type { Context } from 'koa'
import { disconnectApp, listConnectedApps } from '../../sessions/consents.ts'
import type { PagesDeps } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountAppsPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  return { show, disconnect }

  async function show(ctx: Context, { accountId }: Signed): Promise<void> {
    await drawApps(ctx, accountId)
  }

  async function disconnect(ctx: Context, { accountId }: Signed): Promise<void> {
    const { client: clientId = '' } = formOf(ctx)
    const actor = { kind: 'person', id: accountId } as const
    const { origin } = ctx.state
    const app = await deps.clients.client(clientId)
    const gone = await disconnectApp(db, { accountId, clientId }, { actor, origin })
    await drawApps(ctx, accountId, gone ? (app?.name ?? clientId) : undefined)
  }

  async function drawApps(ctx: Context, accountId: string, disconnected?: string): Promise<void> {
    const apps = await listConnectedApps(db, accountId)
    frame.drawPage(ctx, 'account-apps', {
      action: '/account/apps',
      apps: apps.map((app) => ({ ...app, id: app.clientId })),
      disconnected,
    })
  }
}
