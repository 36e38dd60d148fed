/** How an account looks to programs. */
import { type Account, listRoles } from '../accounts/accounts.ts'
import type { Db } from '../database/connection.ts'

/** The claims' names where there are some. */
export async function userJson(db: Db, account: Account): Promise<Record<string, unknown>> {
  return {
    id: account.id,
    username: account.username,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    name: account.name,
    ...(account.address ? { address: account.address } : {}),
    ...(account.phoneNumber
      ? {
          phone_number: account.phoneNumber,
          phone_number_verified: account.phoneNumberVerifiedAt !== null,
        }
      : {}),
    status: account.status,
    roles: await listRoles(db, account.id),
    created_at: account.createdAt.toISOString(),
  }
}
