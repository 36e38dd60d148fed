/**
 * Authenticator apps (TOTP, RFC 6238): set up by a first code, then a code each sign-in. Secrets are sealed and bound to
 * their row and owner; a code is good once, whoever sends it and however often at once (security MF-01, MF-02).
 */
import { Secret, TOTP } from 'otpauth'
import { checkDisplayName } from '../accounts/names.ts'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { tellOfFactor } from './factor-mails.ts'
import { readCode } from './mailed-secrets.ts'
import { endRememberedDevices } from './remembered-devices.ts'

const stepSeconds = 30
/** 160 bits (security MF-07). */
const secretBytes = 20
const longestName = 60
export const mostAuthenticators = 5
const setUpSeconds = 15 * 60

type Deps = { db: Db; keyring: Keyring }

export type Authenticator = { id: string; name: string; createdAt: Date; lastUsedAt: Date | null }

/** Oldest first. */
export function listAuthenticators(db: Db, accountId: string): Promise<Authenticator[]> {
  return db
    .selectFrom('authenticators')
    .select(['id', 'name', 'createdAt', 'lastUsedAt'])
    .where('accountId', '=', accountId)
    .orderBy('createdAt')
    .execute()
}

/** `ticket` travels in the form of the page that shows it; it opens for this person in this place alone. */
export type SetUp = { ticket: string; secret: string; address: string }

/** Nothing is stored until a first code proves that the app has the secret; so nothing can be overwritten. */
export function beginAuthenticator(
  keyring: Keyring,
  person: { accountId: string; username: string; place: string },
  issuer: string,
): SetUp {
  const secret = new Secret({ size: secretBytes })
  const head = `${newId()}.${Math.floor(Date.now() / 1000)}`
  const sealed = keyring.seal('totp-set-up', rowOf(head, person), Buffer.from(secret.bytes))
  return toSetUp(`${head}.${sealed.toString('base64url')}`, secret, person.username, issuer)
}

/** The same set-up again, after a wrong code; undefined when the ticket is somebody else's or too old. */
export function reopenSetUp(
  keyring: Keyring,
  ticket: string,
  person: { accountId: string; username: string; place: string },
  issuer: string,
): (SetUp & { id: string }) | undefined {
  const [id = '', at = '', sealed = '', ...more] = ticket.split('.')
  const age = Math.floor(Date.now() / 1000) - Number(at)
  if (more.length > 0 || !/^\d{10}$/.test(at) || age < 0 || age > setUpSeconds) return undefined
  try {
    const row = rowOf(`${id}.${at}`, person)
    const bytes = keyring.open('totp-set-up', row, Buffer.from(sealed, 'base64url'))
    const secret = new Secret({ buffer: new Uint8Array(bytes).buffer })
    return { id, ...toSetUp(ticket, secret, person.username, issuer) }
  } catch {
    return undefined
  }
}

function rowOf(head: string, { accountId, place }: { accountId: string; place: string }): string {
  return `${head} ${accountId} ${place}`
}

function toSetUp(ticket: string, secret: Secret, username: string, issuer: string): SetUp {
  const address = totpOf(secret, username, issuer).toString()
  return { ticket, secret: secret.base32, address }
}

function totpOf(secret: Secret, label = '', issuer = ''): TOTP {
  return new TOTP({ secret, label, issuer, algorithm: 'SHA1', digits: 6, period: stepSeconds })
}

export type Added =
  | { ok: true; id: string }
  | { ok: false; code: 'code_wrong' | 'too_many_authenticators' }

/** The first code makes the authenticator. The same set-up makes one, however often it is sent. */
export function addAuthenticator(
  { db, keyring }: Deps,
  setUp: SetUp & { id: string },
  given: { accountId: string; name: string; code: string },
  origin: Origin = {},
): Promise<Added> {
  const { accountId } = given
  const { id } = setUp
  const secret = Secret.fromBase32(setUp.secret)
  const step = stepOf(secret, given.code)
  if (step === undefined) return Promise.resolve({ ok: false, code: 'code_wrong' })
  const name = [...given.name.trim().normalize('NFC')].slice(0, longestName).join('')
  return transact(db, async (trx) => {
    // One after the other for each person, so that the number of them holds.
    await trx.selectFrom('accounts').select('id').where('id', '=', accountId).forUpdate().execute()
    const before = await listAuthenticators(trx, accountId)
    if (before.some((one) => one.id === id)) return { ok: true, id }
    if (before.length >= mostAuthenticators) return { ok: false, code: 'too_many_authenticators' }
    await trx
      .insertInto('authenticators')
      .values({
        id,
        accountId,
        name: name || 'Authenticator',
        secretSealed: keyring.seal('totp-secret', `${id} ${accountId}`, Buffer.from(secret.bytes)),
        lastStep: step,
      })
      .execute()
    await endRememberedDevices(trx, accountId)
    const actor: Actor = { kind: 'person', id: accountId }
    await record(trx, {
      type: 'factor.added',
      actor,
      accountId,
      origin,
      detail: { factor: 'totp' },
    })
    await tellOfFactor(trx, { accountId, what: 'added', factor: 'totp' })
    return { ok: true, id }
  })
}

export type RenamedAuthenticator =
  | { ok: true }
  | { ok: false; code: 'name_invalid' | 'name_too_long' | 'authenticator_gone' }

/** Only the person's own. */
export async function renameAuthenticator(
  db: Db,
  { id, accountId, name }: { id: string; accountId: string; name: string },
  origin: Origin = {},
): Promise<RenamedAuthenticator> {
  const checked = checkDisplayName(name)
  if (!checked.ok) return checked
  if ([...checked.name].length > longestName) return { ok: false, code: 'name_too_long' }
  return transact(db, async (trx): Promise<RenamedAuthenticator> => {
    const renamed = await trx
      .updateTable('authenticators')
      .set({ name: checked.name })
      .where('id', '=', id)
      .where('accountId', '=', accountId)
      .returning('id')
      .executeTakeFirst()
    if (!renamed) return { ok: false, code: 'authenticator_gone' }
    const actor: Actor = { kind: 'person', id: accountId }
    const detail = { factor: 'totp' }
    await record(trx, { type: 'factor.renamed', actor, accountId, origin, detail })
    return { ok: true }
  })
}

/** False when there is none of that id; whoever has removed it is told by mail. */
export function removeAuthenticator(
  db: Db,
  { accountId, id }: { accountId: string; id: string },
  by: { actor: Actor; origin?: Origin | undefined },
): Promise<boolean> {
  return transact(db, async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('authenticators')
      .where('accountId', '=', accountId)
      .where('id', '=', id)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return false
    await endRememberedDevices(trx, accountId)
    await record(trx, { type: 'factor.removed', ...by, accountId, detail: { factor: 'totp' } })
    await tellOfFactor(trx, { accountId, what: 'removed', factor: 'totp' })
    return true
  })
}

/**
 * True once for each code. Counting guesses is the caller's. The step only grows, by one guarded statement, so of fifty
 * who send the same code at once one is let in.
 */
export async function spendTotp(
  { db, keyring }: Deps,
  accountId: string,
  code: string,
): Promise<boolean> {
  const rows = await db
    .selectFrom('authenticators')
    .select(['id', 'secretSealed'])
    .where('accountId', '=', accountId)
    .execute()
  for (const { id, secretSealed } of rows) {
    const bytes = keyring.open('totp-secret', `${id} ${accountId}`, secretSealed)
    const step = stepOf(new Secret({ buffer: new Uint8Array(bytes).buffer }), code)
    if (step === undefined) continue
    const { numUpdatedRows } = await db
      .updateTable('authenticators')
      .set({ lastStep: step, lastUsedAt: new Date() })
      .where('id', '=', id)
      .where('lastStep', '<', step)
      .executeTakeFirst()
    if (numUpdatedRows > 0n) return true
  }
  return false
}

/** The time step whose code this is: now, or one before or after (security MF-04). Compared in constant time. */
function stepOf(secret: Secret, typed: string): number | undefined {
  const token = readCode(typed)
  if (token === undefined) return undefined
  const timestamp = Date.now()
  const delta = totpOf(secret).validate({ token, timestamp, window: 1 })
  return delta === null ? undefined : Math.floor(timestamp / 1000 / stepSeconds) + delta
}
