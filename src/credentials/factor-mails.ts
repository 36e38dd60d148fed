/** Tells people by mail what has changed about how they prove who they are. Bears being run twice. */
import { type Account, findAccount } from '../accounts/accounts.ts'
import { record } from '../audit/audit.ts'
import { newId, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import { enqueue, type Tasks } from '../jobs/tasks.ts'
import type { Mailer } from '../mail/transport.ts'
import type { Locale, Views } from '../views.ts'

type Notice = Tasks['mail.factor']

/** In the transaction of the change. */
export function tellOfFactor(trx: Db, change: Omit<Notice, 'id'>): Promise<void> {
  return enqueue(trx, 'mail.factor', { ...change, id: newId() })
}

type Deps = {
  db: Db
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /** Counts one mail to this canonical address; false when it has had too many. */
  allowMail(recipient: string): Promise<boolean>
}

/** The handlers of `mail.factor`, and of what the release before has queued. Throw when the mail may go out later. */
export function createFactorMailers(deps: Deps): {
  'mail.factor': (notice: Notice) => Promise<void>
  'mail.passkey': (payload: Tasks['mail.passkey']) => Promise<void>
} {
  return {
    'mail.factor': (notice) => mailFactor(deps, notice),
    'mail.passkey': ({ accountId, passkeyId, change, name }) =>
      mailFactor(deps, {
        id: `passkey ${change} ${passkeyId}`,
        accountId,
        what: change,
        factor: 'passkey',
        name,
      }),
  }
}

async function mailFactor({ db, views, mailer, allowMail }: Deps, notice: Notice): Promise<void> {
  const { accountId } = notice
  const account = await findAccount(db, accountId)
  if (account?.status !== 'active' || !account.email) return
  if (!(await allowMail(account.emailCanonical ?? account.email))) {
    return record(db, { type: 'mail.held_back', accountId })
  }
  const id = sha256(notice.id).toString('base64url')
  try {
    await mailer.send({ ...letterOf(views, notice, account), to: account.email, id })
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
    await record(db, { type: 'mail.refused', accountId, detail: { reason: error.detail } })
  }
}

function letterOf(views: Deps['views'], { what, factor, name }: Notice, account: Account) {
  const locale: Locale = /^zh\b/i.test(account.locale ?? '') ? 'zh-CN' : 'en'
  const { username } = account
  if (factor === 'passkey') {
    const data = { username, passkey: name ?? '', path: '/account/passkeys' }
    return views.mail(what === 'added' ? 'passkey-added' : 'passkey-removed', data, locale)
  }
  const data = { username, what, factor, path: '/account/authenticators' }
  return views.mail('factor-changed', data, locale)
}
