/**
 * A code by mail for whoever is half way through signing in, where the policy allows it. It belongs to one flow and one
 * account, ends after ten minutes, five guesses or a newer mail, and is derived, so that neither row nor job holds it.
 */
import { sql } from 'kysely'
import { findAccount } from '../accounts/accounts.ts'
import { maskEmail } from '../accounts/email.ts'
import { type Origin, record } from '../audit/audit.ts'
import { equalBytes, type Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { enqueue, type Tasks } from '../jobs/tasks.ts'
import type { Mailer } from '../mail/transport.ts'
import type { Views } from '../views.ts'
import { readCode } from './mailed-secrets.ts'

export const signInCodeMinutes = 10
const guessesPerCode = 5
const waitSeconds = 60

type Deps = { db: Db; keyring: Keyring }
type Row = { accountId: string; emailCanonical: string; number: number }

export type Asked = { sent: boolean; waitSeconds: number; maskedEmail: string }

/** Puts a mail on its way, once a minute however often it is asked for; undefined without a proven address. */
export function askForSignInCode(
  { db, keyring }: Deps,
  { flowHash, accountId }: { flowHash: Buffer; accountId: string },
  origin: Origin = {},
): Promise<Asked | undefined> {
  return transact(db, async (trx) => {
    const account = await findAccount(trx, accountId)
    if (!account?.email || !account.emailCanonical) return undefined
    const { emailCanonical } = account
    const flow = flowHash.toString('hex')
    const { rows } = await sql<{ number: number; wait: number; due: boolean }>`
      insert into sign_in_codes as c
        (flow_hash, account_id, email_canonical, number, code_hash, next_mail_at, expires_at)
      values (${flowHash}, ${accountId}, ${emailCanonical}, 0, '', now(), now())
      on conflict (flow_hash) do update set flow_hash = excluded.flow_hash
      returning number, ceil(extract(epoch from next_mail_at - now()))::int as wait,
        next_mail_at <= now() or account_id <> ${accountId} as due`.execute(trx)
    const row = rows[0]
    const maskedEmail = maskEmail(account.email)
    if (!row?.due) return { sent: false, waitSeconds: row?.wait ?? waitSeconds, maskedEmail }
    const next = { accountId, emailCanonical, number: row.number + 1 }
    await trx
      .updateTable('signInCodes')
      .set({
        ...next,
        codeHash: hashCode(keyring, flow, deriveCode(keyring, flow, next)),
        guesses: 0,
        nextMailAt: sql<Date>`now() + make_interval(secs => ${waitSeconds})`,
        expiresAt: sql<Date>`now() + make_interval(mins => ${signInCodeMinutes})`,
      })
      .where('flowHash', '=', flowHash)
      .execute()
    const askedFrom = origin.address === undefined ? {} : { askedFrom: origin.address }
    await enqueue(
      trx,
      'mail.sign-in-code',
      { flow, number: next.number, ...askedFrom },
      { jobKey: `sign-in-code:${flow}`, maxAttempts: 5 },
    )
    return { sent: true, waitSeconds, maskedEmail }
  })
}

/** True once for each code; every guess is counted before it is looked at. */
export async function spendSignInCode(
  { db, keyring }: Deps,
  { flowHash, accountId }: { flowHash: Buffer; accountId: string },
  typed: string,
): Promise<boolean> {
  if (db.isTransaction) throw new Error('a guess is counted outside of any transaction')
  const code = readCode(typed)
  if (code === undefined) return false
  const flow = flowHash.toString('hex')
  const row = await db
    .updateTable('signInCodes')
    .set({ guesses: sql<number>`guesses + 1` })
    .where('flowHash', '=', flowHash)
    .where('accountId', '=', accountId)
    .where('guesses', '<', guessesPerCode)
    .where('expiresAt', '>', sql<Date>`now()`)
    .returning('codeHash')
    .executeTakeFirst()
  if (!row || !isCode(keyring, flow, code, row.codeHash)) return false
  const { numDeletedRows } = await db
    .deleteFrom('signInCodes')
    .where('flowHash', '=', flowHash)
    .where('codeHash', '=', row.codeHash)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

type SenderDeps = Deps & {
  views: Pick<Views, 'mail'>
  mailer: Pick<Mailer, 'send'>
  allowMail(recipient: string, askedFrom?: string): Promise<boolean>
}

/** The handler of `mail.sign-in-code`. Throws when the mail may go out later. */
export function createSignInCodeSender(
  deps: SenderDeps,
): (payload: Tasks['mail.sign-in-code']) => Promise<void> {
  const { db, keyring, views, mailer } = deps
  return async function sendSignInCode({ flow, number, askedFrom }) {
    const row = await db
      .selectFrom('signInCodes')
      .select(['accountId', 'emailCanonical', 'number'])
      .where('flowHash', '=', Buffer.from(flow, 'hex'))
      .where('number', '=', number)
      .where('expiresAt', '>', sql<Date>`now()`)
      .executeTakeFirst()
    const account = row && (await findAccount(db, row.accountId))
    if (!row || account?.status !== 'active' || !account.email) return
    // Another address since then: this code was for the mailbox of before.
    if (account.emailCanonical !== row.emailCanonical) return
    const { accountId } = row
    if (!(await deps.allowMail(row.emailCanonical, askedFrom))) {
      return record(db, { type: 'mail.held_back', accountId })
    }
    const locale = /^zh\b/i.test(account.locale ?? '') ? 'zh-CN' : 'en'
    const code = deriveCode(keyring, flow, row)
    const data = { username: account.username, code, minutes: signInCodeMinutes, path: '/account' }
    const letter = views.mail('sign-in-code', data, locale)
    const id = keyring.mac('sign-in-code-mail', flow, String(number)).toString('base64url')
    try {
      await mailer.send({ ...letter, to: account.email, id })
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'mail_refused') throw error
      await record(db, { type: 'mail.refused', accountId, detail: { reason: error.detail } })
    }
  }
}

function deriveCode(keyring: Keyring, flow: string, { accountId, emailCanonical, number }: Row) {
  const mac = keyring.mac('sign-in-code', flow, accountId, emailCanonical, String(number))
  return String(mac.readUIntBE(0, 6) % 1_000_000).padStart(6, '0')
}

function hashCode(keyring: Keyring, flow: string, code: string): Buffer {
  return keyring.mac('sign-in-code-hash', flow, code)
}

function isCode(keyring: Keyring, flow: string, code: string, hash: Buffer): boolean {
  return keyring
    .macs('sign-in-code-hash', flow, code)
    .map((mac) => equalBytes(mac, hash))
    .includes(true)
}
