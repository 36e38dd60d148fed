/** The browsers in which somebody is signed in; ending one, or all the others, with what hangs on it. */
import type { Context } from 'koa'
import {
  endRememberedDevices,
  listRememberedDevices,
} from '../../credentials/remembered-devices.ts'
import { networkOf } from '../../http/client-address.ts'
import { describeDevice, listDevices } from '../../sessions/devices.ts'
import { revokeSessions } from '../../sessions/end-sessions.ts'
import { type PagesDeps, seeOther } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountDevicesPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  return { show, submit }

  async function show(ctx: Context, { accountId, session }: Signed): Promise<void> {
    const here = networkOf(ctx.state.address)
    const devices = await listDevices(db, accountId)
    const remembered = await listRememberedDevices(db, accountId)
    frame.drawPage(ctx, 'account-devices', {
      action: '/account/devices',
      devices: devices.map(({ uid, address, ...device }) => ({
        ...device,
        id: uid,
        current: uid === session.uid,
        network: address ? networkOf(address) : undefined,
        near: address !== null && networkOf(address) === here,
      })),
      remembered: remembered.map(({ id, userAgent, createdAt, expiresAt }) => ({
        ...describeDevice(userAgent),
        id,
        createdAt,
        expiresAt,
      })),
    })
  }

  async function submit(ctx: Context, { accountId, session }: Signed): Promise<void> {
    const { end, forget, others } = formOf(ctx)
    const by = { actor: { kind: 'person', id: accountId } as const, origin: ctx.state.origin }
    const own = String(session.uid)
    if (forget !== undefined) {
      const forgotten = await endRememberedDevices(db, accountId, forget)
      if (forgotten === 0) return seeOther(ctx, '/account/devices')
      return frame.done(ctx, 'device-forgotten', 'devices')
    }
    if (others !== undefined) {
      await revokeSessions(db, { accountId, exceptUid: own }, by)
      // A lost one must not stand for a second step either; this one is asked again next time.
      await endRememberedDevices(db, accountId)
      return frame.done(ctx, 'others-ended', 'devices')
    }
    // Another person's session does not fit, and nothing ends.
    const ended = end ? await revokeSessions(db, { accountId, uid: end }, by) : undefined
    if (end === own) return seeOther(ctx, '/')
    if (!ended?.sessions) return seeOther(ctx, '/account/devices')
    frame.done(ctx, 'device-ended', 'devices')
  }
}
