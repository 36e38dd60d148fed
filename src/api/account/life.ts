/** Sessions, remembered browsers, apps, activity, and leaving, by a program. */
import { listActivity } from '../../accounts/activity.ts'
import { askDeletion, cancelDeletion, exportAccount, graceDays } from '../../accounts/leaving.ts'
import {
  endRememberedDevices,
  listRememberedDevices,
} from '../../credentials/remembered-devices.ts'
import { AppError } from '../../errors.ts'
import { networkOf } from '../../http/client-address.ts'
import { disconnectApp, listConnectedApps } from '../../sessions/consents.ts'
import { describeDevice, listDevices } from '../../sessions/devices.ts'
import { revokeSessions } from '../../sessions/end-sessions.ts'
import type { Handlers } from '../operations.ts'
import { type AccountDeps, byPerson, refuseField } from './context.ts'
import type { lifeOperations } from './life-operations.ts'

export function lifeHandlers(deps: AccountDeps): Handlers<typeof lifeOperations> {
  const { db } = deps.database

  return {
    async listSessions({ ctx, caller: { accountId, sessionUid } }) {
      const here = networkOf(ctx.state.address)
      const devices = await listDevices(db, accountId)
      const sessions = devices.map(({ uid, address, browser, system, ...device }) => ({
        id: uid,
        current: uid === sessionUid,
        browser: browser ?? null,
        system: system ?? null,
        network: address ? networkOf(address) : null,
        near: address !== null && networkOf(address) === here,
        signedInAt: device.signedInAt.toISOString(),
        seenAt: device.seenAt.toISOString(),
        apps: device.apps,
      }))
      return { sessions }
    },

    async endSession({ ctx, params: { id = '' }, caller: { accountId } }) {
      // Another person's session does not fit, and nothing ends.
      const ended = await revokeSessions(db, { accountId, uid: id }, byPerson(ctx, accountId))
      if (ended.sessions === 0) throw new AppError('session_gone', 404)
    },

    async endOtherSessions({ ctx, caller: { accountId, sessionUid } }) {
      const others = { accountId, exceptUid: sessionUid ?? '' }
      const { sessions } = await revokeSessions(db, others, byPerson(ctx, accountId))
      // A lost one must not stand for a second step either.
      await endRememberedDevices(db, accountId)
      return { ended: sessions }
    },

    async listRememberedBrowsers({ caller: { accountId } }) {
      const remembered = await listRememberedDevices(db, accountId)
      const browsers = remembered.map(({ id, userAgent, createdAt, lastUsedAt, expiresAt }) => {
        const { browser = null, system = null } = describeDevice(userAgent)
        return {
          ...{ id, browser, system, createdAt: createdAt.toISOString() },
          lastUsedAt: lastUsedAt.toISOString(),
          expiresAt: expiresAt.toISOString(),
        }
      })
      return { browsers }
    },

    async forgetBrowser({ params: { id = '' }, caller: { accountId } }) {
      const forgotten = id === '' ? 0 : await endRememberedDevices(db, accountId, id)
      if (forgotten === 0) throw new AppError('browser_gone', 404)
    },

    async listApps({ caller: { accountId } }) {
      const connected = await listConnectedApps(db, accountId)
      const apps = connected.map(({ clientId, name, since, lastUsed, scopes, apis }) => ({
        ...{ id: clientId, name, scopes, apis },
        since: since.toISOString(),
        lastUsed: lastUsed.toISOString(),
      }))
      return { apps }
    },

    async disconnectApp({ ctx, params: { id = '' }, caller: { accountId } }) {
      const which = { accountId, clientId: id }
      const gone = await disconnectApp(db, which, byPerson(ctx, accountId))
      if (!gone) throw new AppError('app_gone', 404)
    },

    async listActivity({ ctx, caller: { accountId }, query: { before } }) {
      const { events, more } = await listActivity(db, accountId, before)
      return {
        events: events.map(({ word, at, ...event }) => ({
          ...event,
          at: at.toISOString(),
          kind: word,
          text: deps.views.t(ctx.state.locale, `account.event.${word}`),
        })),
        next: more ? (events.at(-1)?.id ?? null) : null,
      }
    },

    async downloadAccount({ ctx, caller: { accountId, account } }) {
      ctx.set('Content-Disposition', `attachment; filename="${account.username}.json"`)
      return exportAccount(db, accountId)
    },

    async askDeletion({ ctx, caller: { accountId, account }, body: { username } }) {
      if (username.trim().toLowerCase() !== account.username) {
        throw refuseField(ctx, deps.views, 'username', 'username_other')
      }
      if (!(await askDeletion(db, accountId, ctx.state.origin))) {
        throw new AppError('last_admin', 409)
      }
      return { days: graceDays }
    },

    async cancelDeletion({ ctx, caller: { accountId } }) {
      if (!(await cancelDeletion(db, accountId, ctx.state.origin))) {
        throw new AppError('deletion_not_asked', 404)
      }
    },
  }
}
