/**
 * Who has proven their address and has no way to sign in yet: they registered without a password and make a passkey next.
 * The browser in which the address was proven goes on, and no other: where somebody else has begun with this address, what
 * its owner presses or types gives them nothing. Who has closed that browser, or waited for an hour, sets a password by mail.
 */
import { sql } from 'kysely'
import type { Account } from '../accounts/accounts.ts'
import { hasNoWayIn, isWithoutWayIn } from '../credentials/ways-in.ts'
import type { Keyring } from '../crypto.ts'
import { equalBytes, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { now } from './clock.ts'
import type { RegistrationKey } from './deps.ts'
import { isId } from './read.ts'

const purpose = 'registration-mailbox'
const openMinutes = 60

/** For the browser that has opened the link: `<id>.<43 characters of base64url>`. */
export function mailboxMark(keyring: Keyring, id: string): string {
  return `${id}.${keyring.mac(purpose, id).toString('base64url')}`
}

/** The registration of a mark, if it is one of ours. */
export function readMailboxMark(keyring: Keyring, mark: string): string | undefined {
  const [id = '', proof = '', ...more] = mark.split('.')
  if (!isId(id) || more.length > 0) return undefined
  const given = Buffer.from(proof, 'base64url')
  return keyring.macs(purpose, id).some((mac) => equalBytes(mac, given)) ? id : undefined
}

/** False for whoever has registered without a password and made no passkey yet. */
export async function hasWayIn(db: Db, { id }: Pick<Account, 'id'>): Promise<boolean> {
  return !(await isWithoutWayIn(db, id))
}

/**
 * `key` is of the browser that began, `linked` the registration whose link was opened in it. Undefined when there is
 * nobody, not yet, not here, or when a way in exists by now.
 */
export async function findNewcomer(
  db: Db,
  { key, linked }: { key?: RegistrationKey | undefined; linked?: string | undefined },
): Promise<{ registrationId: string; account: Account } | undefined> {
  const own = key && isId(key.id) ? key : undefined
  if (!own && !linked) return undefined
  const row = await db
    .selectFrom('registrations')
    .innerJoin('accounts', 'accounts.id', 'registrations.accountId')
    .selectAll('accounts')
    .select('registrations.id as registrationId')
    .where((where) =>
      where.or([
        where.and([
          where('registrations.id', '=', own?.id ?? null),
          where('registrations.handleHash', '=', sha256(own?.handle ?? '')),
          where('registrations.verifiedBy', '=', 'code'),
        ]),
        where.and([
          where('registrations.id', '=', linked ?? null),
          where('registrations.verifiedBy', '=', 'link'),
        ]),
      ]),
    )
    .where('registrations.status', '=', 'verified')
    .where('registrations.expiresAt', '>', now)
    // A browser that others use too does not keep a half-made account open for them.
    .where(
      'registrations.verifiedAt',
      '>',
      sql<Date>`now() - make_interval(mins => ${openMinutes})`,
    )
    .where('accounts.status', '=', 'active')
    .where(hasNoWayIn)
    // Of two that wait in one browser the one whose link was opened in it.
    .orderBy('registrations.verifiedBy', 'desc')
    .executeTakeFirst()
  if (!row) return undefined
  const { registrationId, ...account } = row
  return { registrationId, account }
}
