/**
 * Proofs by mail for somebody who may not be signed in: a new password, a new address. A row is made whoever owns the
 * address, and what the mail says is decided when it is sent (send-proof.ts), so nothing that a browser can see or time
 * tells whether there is an account (EN-04, EN-06). Codes end after ten minutes, five guesses or a newer mail.
 */
import { type Selectable, sql } from 'kysely'
import { maskEmail } from '../accounts/email.ts'
import type { Origin } from '../audit/audit.ts'
import { record } from '../audit/audit.ts'
import { type Keyring, newId, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { ProofPurpose, Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { enqueue } from '../jobs/tasks.ts'
import { isProofCode } from './mail-proof-secrets.ts'
import { readCode } from './mailed-secrets.ts'

export type MailProof = Selectable<Tables['mailProofs']>

export const guessesPerProof = 5
export const proofMinutes = 10
const lifetimeHours = 2
const mailsPerProof = 6
const attempts = 12
const now = sql<Date>`now()`
export const proofEnd = sql<Date>`now() + make_interval(mins => ${proofMinutes})`
const nextMail = sql<Date>`now() + make_interval(secs => least(60 * mail_number, 300))`

/** Which proof, and for what: a row of one purpose is nothing to the other (AC-09). */
export type Which = { id: string; purpose: ProofPurpose }

/** Puts the first mail on its way and returns the row's id. `accountId` where the person is signed in. */
export function beginProof(
  db: Db,
  asked: {
    purpose: ProofPurpose
    accountId?: string
    address: { email: string; canonical: string }
    locale: string
  },
  origin: Origin = {},
): Promise<string> {
  const { purpose, accountId, address, locale } = asked
  return transact(db, async (trx) => {
    const id = newId()
    if (accountId) {
      // Of two that begin at once the second waits for the first here, and replaces it.
      await sql`select from accounts where id = ${accountId} for update`.execute(trx)
      await trx
        .deleteFrom('mailProofs')
        .where('accountId', '=', accountId)
        .where('purpose', '=', purpose)
        .execute()
    }
    await trx
      .insertInto('mailProofs')
      .values({
        id,
        purpose,
        accountId: accountId ?? null,
        email: address.email,
        emailCanonical: address.canonical,
        locale,
        proofExpiresAt: proofEnd,
        nextMailAt: sql<Date>`now() + interval '60 seconds'`,
        expiresAt: sql<Date>`now() + make_interval(hours => ${lifetimeHours})`,
      })
      .execute()
    await putOnItsWay(trx, id, 1, origin)
    return id
  })
}

async function putOnItsWay(trx: Db, id: string, mailNumber: number, origin: Origin): Promise<void> {
  const { address } = origin
  await enqueue(
    trx,
    'mail.proof',
    { proofId: id, mailNumber, ...(address === undefined ? {} : { askedFrom: address }) },
    { jobKey: `proof:${id}`, maxAttempts: attempts },
  )
}

/** A newer mail; from then on only its code and link count. False while the timer runs, or when it is over. */
export function resendProof(db: Db, { id, purpose }: Which, origin: Origin = {}): Promise<boolean> {
  return transact(db, async (trx) => {
    const next = await trx
      .updateTable('mailProofs')
      .set({
        mailNumber: sql<number>`mail_number + 1`,
        codeHash: null,
        tokenHash: null,
        guesses: 0,
        proofExpiresAt: proofEnd,
        nextMailAt: nextMail,
      })
      .where('id', '=', id)
      .where('purpose', '=', purpose)
      .where('nextMailAt', '<=', now)
      .where('mailNumber', '<', mailsPerProof)
      .where('provenAt', 'is', null)
      .where('consumedAt', 'is', null)
      .where('expiresAt', '>', now)
      .returning('mailNumber')
      .executeTakeFirst()
    if (next) await putOnItsWay(trx, id, next.mailNumber, origin)
    return next !== undefined
  })
}

export type ProofView = {
  maskedEmail: string
  /** `proven`: the code was right. `over`: consumed, or too old for anything. */
  state: 'open' | 'expired' | 'too-many' | 'proven' | 'over'
  waitSeconds: number
}

export async function readProof(db: Db, { id, purpose }: Which): Promise<ProofView | undefined> {
  const row = await db
    .selectFrom('mailProofs')
    .selectAll()
    .select(
      sql<number>`greatest(0, ceil(extract(epoch from next_mail_at - now())))::int`.as('wait'),
    )
    .select(sql<boolean>`proof_expires_at > now()`.as('young'))
    .select(sql<boolean>`expires_at > now()`.as('alive'))
    .where('id', '=', id)
    .where('purpose', '=', purpose)
    .executeTakeFirst()
  if (!row) return undefined
  return { maskedEmail: maskEmail(row.email), state: stateOf(row), waitSeconds: row.wait }
}

function stateOf(row: MailProof & { young: boolean; alive: boolean }): ProofView['state'] {
  if (row.consumedAt || !row.alive) return 'over'
  if (row.provenAt) return row.young ? 'proven' : 'expired'
  if (row.guesses >= guessesPerProof) return 'too-many'
  return row.young ? 'open' : 'expired'
}

export type Guess =
  | { ok: true }
  | {
      ok: false
      code: 'code_invalid' | 'code_wrong' | 'code_expired' | 'too_many_guesses'
      guessesLeft?: number
    }

/**
 * One guess at the digits, counted before it is looked at. `id` has been proven to be the browser's own. A right one
 * gives ten minutes to go on.
 */
export async function guessProof(
  { db, keyring }: { db: Db; keyring: Keyring },
  which: Which,
  typed: string,
  origin: Origin = {},
): Promise<Guess> {
  if (db.isTransaction) throw new Error('a guess is counted outside of any transaction')
  const code = readCode(typed)
  if (code === undefined) return { ok: false, code: 'code_invalid' }
  // The update locks the row, so guesses made at once are counted one by one.
  const counted = await db
    .updateTable('mailProofs')
    .set({ guesses: sql<number>`guesses + 1` })
    .where('id', '=', which.id)
    .where('purpose', '=', which.purpose)
    .where('guesses', '<', guessesPerProof)
    .where('proofExpiresAt', '>', now)
    .where('provenAt', 'is', null)
    .where('consumedAt', 'is', null)
    .where('expiresAt', '>', now)
    .returning(['codeHash', 'guesses', 'accountId'])
    .executeTakeFirst()
  if (!counted) {
    const view = await readProof(db, which)
    if (view?.state === 'proven') return { ok: true }
    return { ok: false, code: view?.state === 'too-many' ? 'too_many_guesses' : 'code_expired' }
  }
  const { codeHash, guesses, accountId } = counted
  if (codeHash && isProofCode(keyring, which.id, code, codeHash)) {
    const proven = await db
      .updateTable('mailProofs')
      .set({ provenAt: now, proofExpiresAt: proofEnd })
      .where('id', '=', which.id)
      .where('codeHash', '=', codeHash)
      .where('consumedAt', 'is', null)
      .executeTakeFirst()
    return proven.numUpdatedRows > 0n ? { ok: true } : { ok: false, code: 'code_expired' }
  }
  await record(db, {
    type: 'mail_proof.refused',
    accountId: accountId ?? undefined,
    origin,
    detail: { purpose: which.purpose, guesses },
  })
  const guessesLeft = guessesPerProof - guesses
  return { ok: false, code: guessesLeft > 0 ? 'code_wrong' : 'too_many_guesses', guessesLeft }
}

/** By the browser that typed the code, or by the token of the link. */
export type Proven = { purpose: ProofPurpose } & ({ id: string } | { token: string })

function provenRows(db: Db, proven: Proven) {
  const query = db
    .selectFrom('mailProofs')
    .selectAll()
    .where('purpose', '=', proven.purpose)
    .where('consumedAt', 'is', null)
    .where('accountId', 'is not', null)
    .where('proofExpiresAt', '>', now)
    .where('expiresAt', '>', now)
  if ('id' in proven) return query.where('id', '=', proven.id).where('provenAt', 'is not', null)
  const hash = /^[\w-]{43}$/.test(proven.token) ? sha256(proven.token) : Buffer.alloc(0)
  return query.where('tokenHash', '=', hash).where('guesses', '<', guessesPerProof)
}

/** What stands behind a proof; changes nothing, however often a scanner asks (AC-06). */
export function findProven(db: Db, proven: Proven): Promise<MailProof | undefined> {
  return provenRows(db, proven).executeTakeFirst()
}

/** Once, whoever comes first; every other proof of the same purpose dies with it. Inside the act's transaction. */
export async function spendProof(trx: Db, proven: Proven): Promise<MailProof | undefined> {
  const found = await provenRows(trx, proven).forUpdate().executeTakeFirst()
  if (!found?.accountId) return undefined
  return trx
    .updateTable('mailProofs')
    .set({ consumedAt: now })
    .where('id', '=', found.id)
    .where('consumedAt', 'is', null)
    .returningAll()
    .executeTakeFirst()
}

/** All that is under way for the account ends: with a new password, a new address, an undo (AC-18). */
export async function dropProofs(trx: Db, accountId: string): Promise<void> {
  await trx
    .deleteFrom('mailProofs')
    .where('accountId', '=', accountId)
    .where('consumedAt', 'is', null)
    .execute()
}
