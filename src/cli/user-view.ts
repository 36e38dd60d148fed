/** How an account looks to programs. */
import type { Account } from '../accounts/accounts.ts'
import { listFactors } from '../credentials/list-factors.ts'
import { listPasskeys, type Passkey } from '../credentials/passkeys.ts'
import type { Db } from '../database/connection.ts'
import { listGroupsOf, listHeldRoles } from '../roles/holders.ts'

/** The claims' names where there are some. `factors`: with what they sign in by, beside the password. */
export async function userJson(
  db: Db,
  account: Account,
  { factors = false } = {},
): Promise<Record<string, unknown>> {
  return {
    id: account.id,
    username: account.username,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    name: account.name,
    ...(account.givenName ? { given_name: account.givenName } : {}),
    ...(account.familyName ? { family_name: account.familyName } : {}),
    ...(account.locale ? { locale: account.locale } : {}),
    ...(account.zoneinfo ? { zoneinfo: account.zoneinfo } : {}),
    ...(account.address ? { address: account.address } : {}),
    ...(account.phoneNumber
      ? {
          phone_number: account.phoneNumber,
          phone_number_verified: account.phoneNumberVerifiedAt !== null,
        }
      : {}),
    ...(factors
      ? {
          factors: await listFactors(db, account.id),
          passkeys: (await listPasskeys(db, account.id)).map(passkeyJson),
        }
      : {}),
    status: account.status,
    roles: (await listHeldRoles(db, account.id)).map(({ role }) => role),
    groups: await listGroupsOf(db, account.id),
    created_at: account.createdAt.toISOString(),
  }
}

function passkeyJson({ id, name, rpId, backedUp, createdAt, lastUsedAt }: Passkey) {
  return {
    id,
    name,
    domain: rpId,
    backed_up: backedUp,
    created_at: createdAt.toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
  }
}
