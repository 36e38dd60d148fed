/**
 * Tells a person by mail that an app asks for their yes, with the way to the page where they answer. The link names no
 * question and signs nobody in. Bears being run twice.
 */
import { findAccount } from '../accounts/accounts.ts'
import { record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import type { Mailer } from '../mail/transport.ts'
import { findQuestion } from '../sessions/questions.ts'
import type { Views } from '../views.ts'
import type { ClientCache } from './client-cache.ts'

export const questionsPath = '/account/requests'

type Deps = {
  db: Db
  clients: Pick<ClientCache, 'client'>
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /** Counts one mail to this canonical address; false when it has had too many. */
  allowMail(recipient: string): Promise<boolean>
}

/** The handler of `mail.question`. Throws when the mail may go out later. */
export function createQuestionMailer(deps: Deps): (payload: { question: string }) => Promise<void> {
  const { db, clients, views, mailer } = deps
  return async function mailQuestion({ question: id }) {
    const question = await findQuestion(db, id)
    if (!question) return
    const { accountId, clientId, parameters, expiresAt } = question
    const account = await findAccount(db, accountId)
    const client = await clients.client(clientId)
    if (!client || account?.status !== 'active' || !account.email || !account.emailVerifiedAt)
      return
    if (!(await deps.allowMail(account.emailCanonical ?? account.email))) {
      return record(db, { type: 'mail.held_back', accountId, clientId })
    }
    const data = {
      username: account.username,
      app: client.name,
      message: parameters.binding_message,
      minutes: Math.max(1, Math.ceil((expiresAt.getTime() - Date.now()) / 60_000)),
      path: questionsPath,
    }
    const locale = /^zh\b/i.test(account.locale ?? '') ? 'zh-CN' : 'en'
    const letter = views.mail('question', data, locale)
    try {
      await mailer.send({
        ...letter,
        to: account.email,
        id: sha256(`question ${id}`).toString('base64url'),
      })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      await record(db, {
        type: 'mail.refused',
        accountId,
        clientId,
        detail: { reason: error.detail },
      })
    }
  }
}
