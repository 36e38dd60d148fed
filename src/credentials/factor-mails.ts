/** Tells people by mail what has changed about how they prove who they are. Bears being run twice. */
import { findAccount } from '../accounts/accounts.ts'
import { record } from '../audit/audit.ts'
import { newId, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import { enqueue, type Tasks } from '../jobs/tasks.ts'
import type { Mailer } from '../mail/transport.ts'
import type { Views } from '../views.ts'

type Change = Omit<Tasks['mail.factor'], 'id'>

/** In the transaction of the change. */
export function tellOfFactor(trx: Db, change: Change): Promise<void> {
  return enqueue(trx, 'mail.factor', { ...change, id: newId() })
}

type Deps = {
  db: Db
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /** Counts one mail to this canonical address; false when it has had too many. */
  allowMail(recipient: string): Promise<boolean>
}

/** Where people look after it. */
export const securityPath = '/account/authenticators'

/** The handler of `mail.factor`. Throws when the mail may go out later. */
export function createFactorMailer(deps: Deps): (payload: Tasks['mail.factor']) => Promise<void> {
  const { db, views, mailer } = deps
  return async function mailFactor({ accountId, what, factor, id }) {
    const account = await findAccount(db, accountId)
    if (account?.status !== 'active' || !account.email) return
    if (!(await deps.allowMail(account.emailCanonical ?? account.email))) {
      return record(db, { type: 'mail.held_back', accountId })
    }
    const locale = /^zh\b/i.test(account.locale ?? '') ? 'zh-CN' : 'en'
    const data = { username: account.username, what, factor, path: securityPath }
    const letter = views.mail('factor-changed', data, locale)
    try {
      await mailer.send({ ...letter, to: account.email, id: sha256(id).toString('base64url') })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      await record(db, { type: 'mail.refused', accountId, detail: { reason: error.detail } })
    }
  }
}
