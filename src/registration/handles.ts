/**
 * The secret handle of a registration: derived from the root secret, so that it can be told again to whoever
 * proves to be the same person (the password of its account), and stored as a hash like any other secret.
 */
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'
import { now } from './clock.ts'
import type { Registration, RegistrationDeps, RegistrationKey } from './deps.ts'

const purpose = 'registration-handle'

/** 43 characters of base64url, 256 bits to anybody without the key. */
export function newestHandle(keyring: Keyring, id: string): string {
  return keyring.mac(purpose, id).toString('base64url')
}

/** Only for a caller who has proven to be the one that began. */
export async function tellHandle(
  { db, keyring }: Pick<RegistrationDeps, 'db' | 'keyring'>,
  { id, handleHash }: Pick<Registration, 'id' | 'handleHash'>,
): Promise<string> {
  const handles = keyring.macs(purpose, id).map((mac) => mac.toString('base64url'))
  const known = handles.find((handle) => equalBytes(sha256(handle), handleHash))
  if (known !== undefined) return known
  // Made under a key that is gone: nobody can be told the old handle any more.
  const handle = newestHandle(keyring, id)
  await db
    .updateTable('registrations')
    .set({ handleHash: sha256(handle) })
    .where('id', '=', id)
    .execute()
  return handle
}

/**
 * The registration with which somebody who has just given the password of an unverified account goes on.
 * Undefined when it has expired or ended: then there is nothing to prove any more.
 */
export async function pendingFor(
  deps: Pick<RegistrationDeps, 'db' | 'keyring'>,
  accountId: string,
): Promise<RegistrationKey | undefined> {
  const registration = await deps.db
    .selectFrom('registrations')
    .select(['id', 'handleHash'])
    .where('accountId', '=', accountId)
    .where('status', '!=', 'verified')
    .where('expiresAt', '>', now)
    .executeTakeFirst()
  if (!registration) return undefined
  return { id: registration.id, handle: await tellHandle(deps, registration) }
}
