/**
 * Ten codes on paper for whoever has lost the rest. Shown once and kept as keyed hashes bound to their owner; each is
 * good once, and a new set ends the old one (security MF-08).
 */
import { randomBytes } from 'node:crypto'
import { type Origin, record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { tellOfFactor } from './factor-mails.ts'

export const codesPerSet = 10
/** 80 bits: sixteen characters of five, so nobody counts guesses at them but against floods. */
const characters = 16
/** Crockford's: no I, L, O and U, which are taken for others. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

type Deps = { db: Db; keyring: Keyring }

/** The codes as they are shown, `XXXX-XXXX-XXXX-XXXX`. Two sets asked for at once leave one. */
export function renewRecoveryCodes(
  { db, keyring }: Deps,
  accountId: string,
  origin: Origin = {},
): Promise<string[]> {
  const codes = Array.from({ length: codesPerSet }, drawCode)
  return transact(db, async (trx) => {
    await trx.selectFrom('accounts').select('id').where('id', '=', accountId).forUpdate().execute()
    await trx.deleteFrom('recoveryCodes').where('accountId', '=', accountId).execute()
    await trx
      .insertInto('recoveryCodes')
      .values(codes.map((code) => ({ accountId, codeHash: hashCode(keyring, accountId, code) })))
      .execute()
    const actor = { kind: 'person', id: accountId } as const
    await record(trx, { type: 'recovery_codes.made', actor, accountId, origin })
    return codes.map((code) => (code.match(/.{4}/g) ?? []).join('-'))
  })
}

/** A set where none is left, for whoever comes first; undefined for all others. */
export function firstRecoveryCodes(
  { db, keyring }: Deps,
  accountId: string,
  origin: Origin = {},
): Promise<string[] | undefined> {
  return transact(db, async (trx) => {
    await trx.selectFrom('accounts').select('id').where('id', '=', accountId).forUpdate().execute()
    if ((await countRecoveryCodes(trx, accountId)).left > 0) return undefined
    return renewRecoveryCodes({ db: trx, keyring }, accountId, origin)
  })
}

/** How many are left; `made` is undefined when there never were any. */
export async function countRecoveryCodes(
  db: Db,
  accountId: string,
): Promise<{ left: number; made: Date | undefined }> {
  const rows = await db
    .selectFrom('recoveryCodes')
    .select(['usedAt', 'createdAt'])
    .where('accountId', '=', accountId)
    .execute()
  return { left: rows.filter(({ usedAt }) => usedAt === null).length, made: rows[0]?.createdAt }
}

/** True once for each code, which is told to its owner by mail. */
export function spendRecoveryCode(
  { db, keyring }: Deps,
  accountId: string,
  typed: string,
  origin: Origin = {},
): Promise<boolean> {
  const code = readRecoveryCode(typed)
  if (code === undefined) return Promise.resolve(false)
  return transact(db, async (trx) => {
    const spent = await trx
      .updateTable('recoveryCodes')
      .set({ usedAt: new Date() })
      .where('accountId', '=', accountId)
      .where('codeHash', 'in', keyring.macs('recovery-code', accountId, code))
      .where('usedAt', 'is', null)
      .returning('accountId')
      .executeTakeFirst()
    if (!spent) return false
    const actor = { kind: 'person', id: accountId } as const
    await record(trx, { type: 'recovery_code.used', actor, accountId, origin })
    await tellOfFactor(trx, { accountId, what: 'used', factor: 'recovery-code' })
    return true
  })
}

/** Capitals or not, with hyphens and blanks or without; letters that look like digits are read as those. */
export function readRecoveryCode(typed: string): string | undefined {
  const plain = typed.slice(0, 128).normalize('NFKC').toUpperCase().replace(/[\s-]/g, '')
  const code = plain.replaceAll('O', '0').replace(/[IL]/g, '1')
  return new RegExp(`^[${alphabet}]{${characters}}$`).test(code) ? code : undefined
}

function drawCode(): string {
  return Array.from(randomBytes(characters), (byte) => alphabet[byte & 31]).join('')
}

function hashCode(keyring: Keyring, accountId: string, code: string): Buffer {
  return keyring.mac('recovery-code', accountId, code)
}
