/** The account that an admin names. */
import { type Account, findAccount, findByIdentifier } from '../accounts/accounts.ts'
import type { Db } from '../database/connection.ts'
import { CliError, exitCodes } from './errors.ts'

/** By username, proven address or id; throws "not found". */
export async function resolveUser(db: Db, user: string): Promise<Account> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(user)
  const account = isId ? await findAccount(db, user) : await findByIdentifier(db, user)
  if (account) return account
  throw new CliError(exitCodes.notFound, `There is no account “${user}”.`, [
    'Give a username, a proven address or an id; see: idp users list',
  ])
}
