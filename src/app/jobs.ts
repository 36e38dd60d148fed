/** What is done later and by the clock: each task by its name, with what it needs of the house. */
import type { Provider } from 'oidc-provider'
import { eraseDue } from '../accounts/leaving.ts'
import { createNoticeSender } from '../accounts/notices.ts'
import { removeOldEvents } from '../audit/retention.ts'
import { removeEndedBlocks } from '../blocks/blocks.ts'
import type { Config } from '../config.ts'
import { createFactorMailers } from '../credentials/factor-mails.ts'
import { createProofSender } from '../credentials/send-proof.ts'
import { createSignInCodeSender } from '../credentials/sign-in-codes.ts'
import type { Keyring } from '../crypto.ts'
import type { Database } from '../database/connection.ts'
import { forgetEndedUpstreams } from '../federation/upstream-sessions.ts'
import type { Limits } from '../http/limits.ts'
import { cleanupLimits } from '../http/limits.ts'
import { mailAllowance } from '../http/mail-allowance.ts'
import { forgetAnswers } from '../idempotency.ts'
import { createInviteMailer } from '../invites/mails.ts'
import type { Handlers } from '../jobs/worker.ts'
import type { Logger } from '../logger.ts'
import type { Mailer } from '../mail/transport.ts'
import type { ClientCache } from '../oidc/client-cache.ts'
import { maintainKeys } from '../oidc/key-rotation.ts'
import { createLogoutSender } from '../oidc/logout.ts'
import { createPingSender } from '../oidc/ping.ts'
import { createQuestionMailer } from '../oidc/question-mails.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import { expireRegistrations } from '../registration/expire.ts'
import { createVerificationSender } from '../registration/send-verification.ts'
import { removeExpired } from '../sessions/cleanup.ts'
import { resumeDeliveries } from '../sessions/logout-deliveries.ts'
import { readAuditRetention } from '../settings/audit-retention.ts'
import type { Views } from '../views.ts'
import { removeSettled, resumeWebhooks } from '../webhooks/deliveries.ts'
import { createWebhookSender } from '../webhooks/send.ts'

type Deps = {
  config: Config
  database: Database
  logger: Logger
  mailer: Mailer
  keyring: Keyring
  views: Views
  limits: Limits
  clients: ClientCache
  fetch: OutgoingFetch
  /** The engine of the moment. */
  provider(): Provider
}

/** Each may run more than once: a process may end in the middle of it. */
export function createHandlers(deps: Deps): Handlers {
  const { config, database, logger, mailer, keyring, views, limits, clients, fetch, provider } =
    deps
  const { db, pool } = database
  const mail = { db, keyring, views, mailer }
  const asked = { ...mail, allowMail: mailAllowance(limits) }
  const notices = {
    ...mail,
    allowMail: (recipient: string) => limits.allows('notice-recipient', recipient),
  }
  const questions = {
    ...{ ...mail, clients },
    allowMail: (recipient: string) => limits.allows('question-recipient', recipient),
  }
  return {
    'mail.verification': createVerificationSender(asked),
    'mail.proof': createProofSender(asked),
    'mail.invite': createInviteMailer(asked),
    'mail.sign-in-code': createSignInCodeSender(asked),
    'mail.notice': createNoticeSender(notices),
    ...createFactorMailers(notices),
    'mail.question': createQuestionMailer(questions),
    'webhook.deliver': createWebhookSender({ db, keyring, fetch, logger }),
    'backchannel.ping': createPingSender({ pool, keyring, clients, fetch, logger }),
    'logout.backchannel': createLogoutSender({ db, logger, provider }),
    cleanup: async () => {
      await resumeDeliveries(db)
      await resumeWebhooks(db)
      await removeSettled(db)
      await removeOldEvents(db, (await readAuditRetention(db)).days)
      const removed = await removeExpired(pool)
      await expireRegistrations(db)
      await forgetEndedUpstreams(db)
      const erased = await eraseDue(db)
      await cleanupLimits(pool)
      await removeEndedBlocks(db)
      await forgetAnswers(db)
      logger.debug({ removed, erased }, 'expired rows removed')
    },
    'rotate-keys': async () => {
      const { jwksMaxAgeSeconds } = config
      const done = await maintainKeys({ db, keyring, jwksMaxAgeSeconds })
      if (done.rotated.length + done.retired.length > 0) logger.info(done, 'signing keys rotated')
    },
  }
}
