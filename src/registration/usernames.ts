/**
 * Whether a username can be had. A registration holds its name as long as it lives, and not a minute longer:
 * names of expired registrations count as free before the cleanup has been by. What decides in the end is the
 * unique constraint on accounts.
 */
import type { Selectable } from 'kysely'
import { checkUsername, skeleton } from '../accounts/username.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import { now } from './clock.ts'

export type Availability =
  | { available: true; username: string }
  | {
      available: false
      code: 'username_invalid' | 'username_reserved' | 'username_taken'
      /** The name as it would be accepted, when only its spelling is wrong. */
      suggestion?: string
    }

/** Names that would speak for the house: the brand, and each label of the issuer's host. */
export function houseNames({ brandName, issuer }: Pick<Config, 'brandName' | 'issuer'>): string[] {
  return [brandName, ...new URL(issuer).hostname.split('.')]
}

export async function checkAvailability(
  db: Db,
  text: string,
  config: Pick<Config, 'brandName' | 'issuer'>,
): Promise<Availability> {
  const check = checkUsername(text, houseNames(config))
  if (!check.ok) {
    const { ok, ...refusal } = check
    return { available: false, ...refusal }
  }
  const holder = await findHolder(db, check.username)
  return holder
    ? { available: false, code: 'username_taken' }
    : { available: true, username: check.username }
}

type Holder = Pick<
  Selectable<Tables['accounts']>,
  'id' | 'username' | 'status' | 'passwordHash'
> & { registrationId: string | null; emailCanonical: string | null }

/** The account that keeps the name, or one that looks like it, from being had; with its live registration. */
export function findHolder(db: Db, username: string): Promise<Holder | undefined> {
  return db
    .selectFrom('accounts')
    .leftJoin('registrations', (join) =>
      join
        .onRef('registrations.accountId', '=', 'accounts.id')
        .on('registrations.expiresAt', '>', now),
    )
    .select([
      'accounts.id',
      'accounts.username',
      'accounts.status',
      'accounts.passwordHash',
      'registrations.id as registrationId',
      'registrations.emailCanonical',
    ])
    .where('accounts.usernameSkeleton', '=', skeleton(username))
    .where((where) =>
      where.or([
        where('accounts.status', '!=', 'unverified'),
        where('registrations.id', 'is not', null),
      ]),
    )
    .executeTakeFirst()
}

/** Frees the name when only an expired registration holds it. */
export async function releaseExpired(trx: Db, username: string): Promise<void> {
  await trx
    .deleteFrom('accounts')
    .where('usernameSkeleton', '=', skeleton(username))
    .where('status', '=', 'unverified')
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('registrations')
            .select('registrations.id')
            .whereRef('registrations.accountId', '=', 'accounts.id')
            .where('registrations.expiresAt', '>', now),
        ),
      ),
    )
    .execute()
}
