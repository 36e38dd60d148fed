/**
 * Tells people by mail what has happened to their account, so that they notice what they did not do themselves. Put on
 * its way in the transaction of the act; what it says is a phrase by `kind` (`mail.notice.<kind>`).
 */
import { sql } from 'kysely'
import type { Origin } from '../audit/audit.ts'
import { record } from '../audit/audit.ts'
import { type Keyring, newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import { enqueue, type Tasks } from '../jobs/tasks.ts'
import type { Mailer } from '../mail/transport.ts'
import { describeDevice } from '../sessions/devices.ts'
import type { Locale, Views } from '../views.ts'
import { findAccount } from './accounts.ts'
import { findUndo, undoToken } from './address-undos.ts'

type Notice = Tasks['mail.notice']

/** Part of the act's transaction. `origin` is who did it, told to the person as browser and address. */
export async function tell(
  trx: Db,
  notice: Omit<Notice, 'noticeId' | 'at'>,
  origin: Origin = {},
): Promise<void> {
  await enqueue(trx, 'mail.notice', payloadOf(notice, origin))
}

/**
 * Of a sign-in by a browser that was not seen before, ahead of its audit event: the very first sign-in is nothing new to
 * its owner. One statement, since it stands in the way of a sign-in.
 */
export async function tellOfNewDevice(db: Db, accountId: string, origin: Origin): Promise<void> {
  const payload = JSON.stringify(payloadOf({ accountId, kind: 'new_device' }, origin))
  await sql`select graphile_worker.add_job('mail.notice', ${payload}::json)
    where exists (select from audit_events
      where account_id = ${accountId} and type = 'sign_in.succeeded')`.execute(db)
}

function payloadOf(notice: Omit<Notice, 'noticeId' | 'at'>, origin: Origin): Notice {
  const { address, userAgent } = origin
  return {
    ...notice,
    noticeId: newId(),
    at: new Date().toISOString(),
    ...(address === undefined ? {} : { address }),
    ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 256) }),
  }
}

const pathOf = {
  new_device: '/account/devices',
  deletion_asked: '/sign-in',
  provider_linked: '/account/providers',
  provider_unlinked: '/account/providers',
} as Record<string, string>

/** The handler of `mail.notice`. `allowMail` is false when a person has been told too often. */
export function createNoticeSender(deps: {
  db: Db
  keyring: Keyring
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  allowMail(recipient: string): Promise<boolean>
}): (notice: Notice) => Promise<void> {
  const { db, keyring, views, mailer } = deps
  return async function sendNotice(notice) {
    const { accountId, kind, undoId, noticeId, at } = notice
    const account = await findAccount(db, accountId)
    const undo = undoId ? await findUndo(db, undoId) : undefined
    const to = undoId ? undo?.email : account?.email
    if (!account || !to) return
    if (!(await deps.allowMail(to.toLowerCase()))) {
      await record(db, { type: 'mail.held_back', accountId, detail: { kind } })
      return
    }
    const path = undoId
      ? `/undo-address?token=${undoToken(keyring, undoId)}`
      : (pathOf[kind] ?? '/account/security')
    const { browser, system } = describeDevice(notice.userAgent)
    const data = {
      kind,
      username: account.username,
      path,
      at: new Date(at),
      device: [browser, system].filter(Boolean).join(', ') || undefined,
      address: notice.address,
    }
    const locale: Locale = /^zh\b/i.test(account.locale ?? notice.locale ?? '') ? 'zh-CN' : 'en'
    try {
      await mailer.send({ ...views.mail('notice', data, locale), to, id: noticeId })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      await record(db, { type: 'mail.refused', accountId, detail: { kind, reason: error.detail } })
    }
  }
}
