/** Tells a person by mail that a passkey was added to their account or removed from it. Bears being run twice. */
import { findAccount } from '../accounts/accounts.ts'
import { record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import type { Tasks } from '../jobs/tasks.ts'
import type { Mailer } from '../mail/transport.ts'
import type { Views } from '../views.ts'

type Deps = {
  db: Db
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /** Counts one mail to this canonical address; false when it has had too many. */
  allowMail(recipient: string): Promise<boolean>
}

/** The handler of `mail.passkey`. Throws when the mail may go out later. */
export function createPasskeyMailer({ db, views, mailer, allowMail }: Deps) {
  return async function mailPasskey(payload: Tasks['mail.passkey']): Promise<void> {
    const { accountId, passkeyId, change, name } = payload
    const account = await findAccount(db, accountId)
    if (account?.status !== 'active' || !account.email) return
    if (!(await allowMail(account.emailCanonical ?? account.email))) {
      return record(db, { type: 'mail.held_back', accountId })
    }
    const locale = /^zh\b/i.test(account.locale ?? '') ? 'zh-CN' : 'en'
    const data = { username: account.username, passkey: name, path: '/account/passkeys' }
    const letter = views.mail(`passkey-${change}`, data, locale)
    const id = sha256(`passkey ${change} ${passkeyId}`).toString('base64url')
    try {
      await mailer.send({ ...letter, to: account.email, id })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      await record(db, { type: 'mail.refused', accountId, detail: { reason: error.detail } })
    }
  }
}
