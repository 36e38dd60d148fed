/** Mails an invitation that is bound to an address. The code is made anew here, so no payload holds it. */
import { record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import type { Tasks } from '../jobs/tasks.ts'
import type { Mailer } from '../mail/transport.ts'
import type { Views } from '../views.ts'
import { invitePath, knownInviteCode } from './codes.ts'

type Deps = {
  db: Db
  keyring: Keyring
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /** Counts one mail to this canonical address; false when it has had too many. */
  allowMail(recipient: string): Promise<boolean>
}

/** The handler of `mail.invite`. Throws when the mail may go out later; sends nothing of what has ended. */
export function createInviteMailer(deps: Deps): (payload: Tasks['mail.invite']) => Promise<void> {
  const { db, keyring, views, mailer } = deps
  return async function mailInvite({ inviteId, locale }) {
    const invite = await db
      .selectFrom('invites')
      .selectAll()
      .where('id', '=', inviteId)
      .where('revokedAt', 'is', null)
      .executeTakeFirst()
    const code = invite && knownInviteCode(keyring, invite)
    if (!code || !invite.email || !invite.emailCanonical || invite.used >= invite.uses) return
    if (!(await deps.allowMail(invite.emailCanonical))) {
      return record(db, { type: 'mail.held_back', detail: { inviteId } })
    }
    const { email, expiresAt } = invite
    const data = { code, path: invitePath(code), until: expiresAt ?? undefined }
    try {
      await mailer.send({
        ...views.mail('invite', data, locale),
        to: email,
        id: `invite.${inviteId}`,
      })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      await record(db, { type: 'mail.refused', detail: { inviteId, reason: error.detail } })
    }
  }
}
