/**
 * An account for somebody whom an upstream has proven: without a password, under the username that they choose. Only where
 * the operator believes the upstream's word about the address; others prove it to us by the usual way (registration/).
 */

import { findByAddress } from '../accounts/accounts.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { checkDisplayName } from '../accounts/names.ts'
import { insertAccount } from '../accounts/new-account.ts'
import { checkUsername } from '../accounts/username.ts'
import { type Origin, record } from '../audit/audit.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError, type FieldError } from '../errors.ts'
import { localeFor } from '../registration/fields.ts'
import { houseNames, releaseExpired } from '../registration/usernames.ts'
import type { ProvenIdentity } from './claims.ts'
import { insertIdentity, recordLinked } from './identities.ts'
import { spendProof } from './proofs.ts'
import { applyRoles } from './roles.ts'

type Deps = { db: Db; config: Pick<Config, 'issuer' | 'brandName' | 'registration'> }

/**
 * `create`: the address is proven and free. `prove`: it is not, or there is none, or an invitation is needed first. `link`: it is proven, and an account
 * here has it, which is never taken over. `closed`: nobody registers here by themselves.
 * Whether an address is somebody's is told only to whom it was proven to belong.
 */
export type Welcome = 'create' | 'prove' | 'link' | 'closed'

export async function welcomeFor(
  { db, config }: Deps,
  { email, emailTrusted }: ProvenIdentity,
): Promise<Welcome> {
  const address = email ? canonicalEmail(email) : undefined
  if (emailTrusted && address?.ok && (await findByAddress(db, address.canonical))) return 'link'
  if (config.registration === 'closed') return 'closed'
  return config.registration === 'open' && emailTrusted && address?.ok ? 'create' : 'prove'
}

export type Created =
  | { ok: true; accountId: string }
  | { ok: false; errors: FieldError[] }
  | { ok: false; errors: []; code: 'identity_taken' | 'registration_closed' }

/** `identity` is what the flow's proof holds; it is spent with this. Throws `flow_finished` (409) when it was. */
export async function createFromUpstream(
  deps: Deps,
  flowId: string,
  identity: ProvenIdentity,
  given: { username: string; name: string; locale: string },
  origin: Origin,
): Promise<Created> {
  const { config } = deps
  // The server refuses, whatever a page showed (security AC-26).
  if ((await welcomeFor(deps, identity)) !== 'create') {
    return { ok: false, errors: [], code: 'registration_closed' }
  }
  const errors: FieldError[] = []
  const username = checkUsername(given.username, houseNames(config))
  if (!username.ok) {
    const code = given.username ? username.code : 'username_required'
    errors.push({ field: 'username', code })
  }
  const name = given.name.trim() ? checkDisplayName(given.name) : undefined
  if (name?.ok === false) errors.push({ field: 'name', code: name.code })
  const address = canonicalEmail(identity.email ?? '')
  if (!username.ok || name?.ok === false || !address.ok) return { ok: false, errors }
  return transact(deps.db, async (trx): Promise<Created> => {
    await releaseExpired(trx, username.username)
    const made = await insertAccount(trx, {
      username: username.username,
      passwordHash: null,
      name: name?.name,
      locale: localeFor(given.locale),
      address,
    })
    if (!made.ok) return made
    const { id: accountId } = made
    const identityId = await insertIdentity(trx, accountId, identity)
    // Thrown, so that nothing of it stays.
    if (!identityId || !(await spendProof(trx, flowId))) throw new AppError('flow_finished', 409)
    const actor = { kind: 'person', id: accountId } as const
    const detail = { username: username.username, providerId: identity.providerId }
    await record(trx, { type: 'account.created', actor, accountId, origin, detail })
    await recordLinked(trx, accountId, identity, origin)
    await applyRoles(trx, { identityId, accountId }, identity, origin)
    return { ok: true, accountId }
  })
}
