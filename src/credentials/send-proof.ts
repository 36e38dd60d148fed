/**
 * Sends the mail of a proof (mail-proofs.ts) and decides only now what it says: a code and a link to the owner, or
 * nothing. Bears being run twice.
 */
import { sql } from 'kysely'
import { type Account, findAccount, findByAddress } from '../accounts/accounts.ts'
import { tell } from '../accounts/notices.ts'
import { record } from '../audit/audit.ts'
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import type { Tasks } from '../jobs/tasks.ts'
import type { Mail, Mailer } from '../mail/transport.ts'
import type { Locale, Views } from '../views.ts'
import { deriveProof, deriveProofDecoy } from './mail-proof-secrets.ts'
import { type MailProof, proofEnd, proofMinutes } from './mail-proofs.ts'

type Deps = {
  db: Db
  keyring: Keyring
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  /** Counts one mail to this canonical address; false when there were too many (AC-13, DS-10). */
  allowMail(recipient: string, askedFrom?: string): Promise<boolean>
}

const linkPaths = {
  'reset-password': (token: string) => `/reset-password?token=${token}`,
  'change-address': (token: string) => `/confirm-address?token=${token}`,
}

/** The handler of `mail.proof`. Throws when the mail may go out later, so that the job is run again. */
export function createProofSender(deps: Deps): (payload: Tasks['mail.proof']) => Promise<void> {
  return async function sendProof(payload) {
    const waiting = await findWaiting(deps.db, payload).executeTakeFirst()
    if (!waiting) return
    // Counted once for each mail and not for each try.
    const allowed =
      waiting.codeHash !== null || (await deps.allowMail(waiting.emailCanonical, payload.askedFrom))
    const mail = await transact(deps.db, (trx) => prepare(deps, trx, payload, allowed))
    if (!mail) return
    try {
      await deps.mailer.send(mail)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      const detail = { purpose: waiting.purpose, reason: error.detail }
      await record(deps.db, { type: 'mail.refused', detail })
    }
  }
}

/** Undefined when a newer mail has been asked for, or the proof is done or over. */
function findWaiting(db: Db, { proofId, mailNumber }: Tasks['mail.proof']) {
  return db
    .selectFrom('mailProofs')
    .selectAll()
    .where('id', '=', proofId)
    .where('mailNumber', '=', mailNumber)
    .where('provenAt', 'is', null)
    .where('consumedAt', 'is', null)
    .where('expiresAt', '>', sql<Date>`now()`)
}

async function prepare(
  { keyring, views }: Deps,
  trx: Db,
  payload: Tasks['mail.proof'],
  allowed: boolean,
): Promise<Mail | undefined> {
  const proof = await findWaiting(trx, payload).forUpdate().executeTakeFirst()
  if (!proof) return undefined
  const owner = await findByAddress(trx, proof.emailCanonical)
  const person = await personOf(trx, proof, owner)
  const secrets = deriveProof(keyring, proof)
  const stored = proof.codeHash !== null && equalBytes(proof.codeHash, secrets.codeHash)
  const goesOut = person !== undefined && (allowed || stored)
  const { codeHash, tokenHash } = goesOut ? secrets : deriveProofDecoy(keyring, proof)
  await trx
    .updateTable('mailProofs')
    .set({
      codeHash,
      tokenHash,
      accountId: person?.id ?? proof.accountId,
      // Guesses at this very code stay counted when its mail is sent again.
      guesses: proof.codeHash && equalBytes(proof.codeHash, codeHash) ? proof.guesses : 0,
      proofExpiresAt: proofEnd,
    })
    .where('id', '=', proof.id)
    .execute()
  const { purpose, id, email, mailNumber } = proof
  if (goesOut) {
    const data = {
      username: person.username,
      code: secrets.code,
      path: linkPaths[purpose](secrets.token),
      minutes: proofMinutes,
    }
    const letter = views.mail(purpose, data, localeOf(person.locale ?? proof.locale))
    const to = purpose === 'reset-password' ? (person.email ?? email) : email
    return { ...letter, to, id: sha256(`${id}.${mailNumber}`).toString('base64url') }
  }
  if (person)
    await record(trx, { type: 'mail.held_back', accountId: person.id, detail: { purpose } })
  // The owner of an address that somebody else wants as theirs; once a proof, whatever is asked again.
  else if (purpose === 'change-address' && owner && proof.codeHash === null && mailNumber === 1)
    await tell(trx, { accountId: owner.id, kind: 'address_wanted' })
  return undefined
}

/** Whose mail it is: for a new password the active owner of the address; for a new address who asked, if it is free. */
async function personOf(
  trx: Db,
  { purpose, accountId }: MailProof,
  owner: Account | undefined,
): Promise<Account | undefined> {
  if (purpose === 'reset-password') return owner?.status === 'active' ? owner : undefined
  return owner || !accountId ? undefined : findAccount(trx, accountId)
}

function localeOf(tag: string): Locale {
  return /^zh\b/i.test(tag) ? 'zh-CN' : 'en'
}
