/**
 * Sends the verification mail that was put on its way (mails.ts), and decides only now what it says: a code and
 * a link, or, to the owner of an address that has one, that there is an account already. So nothing that a
 * browser can see or time depends on whose an address is (security EN-03, EN-13). Bears being run twice.
 */
import { type Account, findByAddress } from '../accounts/accounts.ts'
import { record } from '../audit/audit.ts'
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import type { Tasks } from '../jobs/tasks.ts'
import type { Mail, Mailer } from '../mail/transport.ts'
import type { Views } from '../views.ts'
import { now } from './clock.ts'
import type { Registration } from './deps.ts'
import { localeFor } from './fields.ts'
import { proofExpiry, proofMinutes } from './mails.ts'
import { deriveDecoy, deriveSecrets } from './proof-secrets.ts'

type Payload = Tasks['mail.verification']

type Deps = {
  db: Db
  keyring: Keyring
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /**
   * Counts one mail to this canonical address, asked for from `askedFrom`; false when there were too many (security
   * AC-13, DS-10).
   */
  allowMail(recipient: string, askedFrom?: string): Promise<boolean>
}

/** Where the link leads; a path of the issuer. */
export function linkPath(token: string): string {
  return `/verify-email?token=${token}`
}

/** The handler of `mail.verification`. Throws when the mail may go out later, so that the job is run again. */
export function createVerificationSender(deps: Deps): (payload: Payload) => Promise<void> {
  return async function sendVerification(payload) {
    const waiting = await findWaiting(deps.db, payload).executeTakeFirst()
    if (!waiting) return
    // Counted once for each mail and not for each try, or a mail server that is down would use up the allowance.
    const allowed =
      waiting.codeHash !== null || (await deps.allowMail(waiting.emailCanonical, payload.askedFrom))
    const mail = await transact(deps.db, (trx) => prepare(deps, trx, payload, allowed))
    if (mail) await send(deps, mail, payload)
  }
}

/** Undefined when a newer mail has been asked for, the address proven or the registration expired (RL-18). */
function findWaiting(db: Db, { registrationId, mailNumber }: Payload) {
  return db
    .selectFrom('registrations')
    .selectAll()
    .where('id', '=', registrationId)
    .where('mailNumber', '=', mailNumber)
    .where('status', '=', 'verification_sent')
    .where('expiresAt', '>', now)
}

/** Stores what the mail will prove, before it leaves: ten minutes from now, not from when it was asked for. */
async function prepare(
  { keyring, views }: Deps,
  trx: Db,
  payload: Payload,
  allowed: boolean,
): Promise<Mail | undefined> {
  const registration = await findWaiting(trx, payload).forUpdate().executeTakeFirst()
  if (!registration) return undefined
  const { id, codeHash, guesses } = registration
  const owner = await findByAddress(trx, registration.emailCanonical)
  const secrets = deriveSecrets(keyring, registration)
  const decoy = deriveDecoy(keyring, registration)
  const isStored = (hash: Buffer) => codeHash !== null && equalBytes(codeHash, hash)
  const heldBack = !allowed || (!owner && isStored(decoy.codeHash))
  const proof = owner || heldBack ? decoy : secrets

  await trx
    .updateTable('registrations')
    .set({
      codeHash: proof.codeHash,
      tokenHash: proof.tokenHash,
      // Guesses at this very code stay counted when its mail is sent again.
      guesses: isStored(proof.codeHash) ? guesses : 0,
      proofExpiresAt: proofExpiry,
    })
    .where('id', '=', id)
    .execute()
  if (heldBack) {
    await record(trx, { type: 'mail.held_back', detail: { registrationId: id } })
    return undefined
  }
  if (!owner) return sendCode(views, registration, secrets)
  if (!isStored(proof.codeHash)) {
    const detail = { registrationId: id }
    await record(trx, { type: 'registration.address_owned', accountId: owner.id, detail })
  }
  return tellOwner(views, owner, registration)
}

function sendCode(
  views: Deps['views'],
  registration: Registration,
  { code, token }: { code: string; token: string },
): Mail {
  const { username, email, locale } = registration
  const data = { username, code, path: linkPath(token), minutes: proofMinutes }
  const letter = views.mail('verify-email', data, localeFor(locale))
  return { ...letter, to: email, id: mailId(registration) }
}

/** The same for each try of one mail. Not the registration's own id, which is for whoever began it. */
function mailId({ id, mailNumber }: Registration): string {
  return sha256(`${id}.${mailNumber}`).toString('base64url')
}

/** To the address as its owner wrote it, in the owner's language. */
function tellOwner(
  views: Deps['views'],
  { username, email, locale }: Account,
  registration: Registration,
): Mail {
  const letter = views.mail(
    'already-registered',
    { username, path: '/sign-in' },
    localeFor(locale ?? registration.locale),
  )
  return {
    ...letter,
    to: email ?? registration.email,
    id: mailId(registration),
  }
}

async function send({ db, mailer }: Deps, mail: Mail, payload: Payload): Promise<void> {
  try {
    await mailer.send(mail)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
    // Asking again would be answered the same; the person can ask for another mail or mend the address.
    const { registrationId, mailNumber } = payload
    const detail = { registrationId, mailNumber, reason: error.detail }
    await record(db, { type: 'mail.refused', detail })
  }
}
