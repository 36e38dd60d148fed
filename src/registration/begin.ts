/**
 * The beginning of a registration. What is refused here stores nothing. The answer and its time are the same
 * for known and unknown addresses by construction: nothing on this path asks whose an address is (security
 * EN-03). Usernames are told taken, by design; how often one may ask is the door's business.
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { newId, sha256 } from '../crypto.ts'
import { transact } from '../database/transact.ts'
import { AppError, type FieldError } from '../errors.ts'
import { claimInvite } from '../invites/claim.ts'
import { now } from './clock.ts'
import type { Registration, RegistrationDeps, RegistrationKey } from './deps.ts'
import { type CheckedFields, checkFields, type Fields } from './fields.ts'
import { newestHandle, tellHandle } from './handles.ts'
import { checkInvite, inviteInvalid } from './invited.ts'
import { type RegistrationView, read } from './read.ts'
import { advance } from './steps.ts'
import { findHolder } from './usernames.ts'

export type Begun =
  | { ok: true; key: RegistrationKey; registration: RegistrationView }
  | { ok: false; errors: FieldError[] }

const lifetimeHours = 24

export type BeginOptions = {
  /** Of the request: a hash that still waits when it fires is not made. */
  signal?: AbortSignal | undefined
  actor?: Actor
  lifetimeHours?: number
}

/**
 * Every field error at once. A step that fails afterwards is no error here: the registration says so and can
 * be retried. Throws `registration_closed` (403), `busy` (503).
 * The same form sent twice is one registration, whoever of the two comes first.
 */
export async function begin(
  deps: RegistrationDeps,
  fields: Fields,
  origin: Origin = {},
  options: BeginOptions = {},
): Promise<Begun> {
  const byOperator = options.actor?.kind === 'operator'
  // The server refuses, whatever a page showed (security AC-26).
  if (deps.config.registration === 'closed' && !byOperator) {
    throw new AppError('registration_closed', 403)
  }
  const { value, errors } = checkFields(fields, deps.config, { reservedToo: byOperator })
  const invited = await checkInvite(deps, fields, { optional: byOperator })
  // Whoever has no invitation does not learn which names are taken.
  if (!invited.ok) return { ok: false, errors: [invited.error, ...errors] }
  const nameIsFine = !errors.some(({ field }) => field === 'username')
  const taken = nameIsFine && (await findHolder(deps.db, fields.username)) !== undefined
  if (!value || (taken && errors.length > 0)) {
    return { ok: false, errors: taken ? [usernameTaken, ...errors] : errors }
  }
  if (taken) return continueOwn(deps, value, origin, options.signal)

  const { password } = value
  if (password !== null && (await deps.breached?.has(password))) {
    return { ok: false, errors: [{ field: 'password', code: 'password_breached' }] }
  }
  const passwordHash = password === null ? null : await deps.hasher.hash(password, options.signal)
  const begun = await insert(
    deps,
    { ...value, passwordHash, invite: fields.invite },
    origin,
    options,
  )
  if (!begun) return afterLastUse(deps, value, origin, options)
  const reached = await advance(deps, begun, origin)
  if (reached.status === 'failed' && reached.error === usernameTaken.code) {
    await deps.db.deleteFrom('registrations').where('id', '=', reached.id).execute()
    return continueOwn(deps, value, origin, options.signal)
  }
  return answer(deps, reached)
}

/** The last use has just been taken, perhaps by the same form sent twice. */
async function afterLastUse(
  deps: RegistrationDeps,
  fields: CheckedFields,
  origin: Origin,
  { signal }: BeginOptions,
): Promise<Begun> {
  const own = await deps.db
    .selectFrom('registrations')
    .selectAll()
    .where('username', '=', fields.username)
    .where('emailCanonical', '=', fields.emailCanonical)
    .where('inviteId', 'is not', null)
    .where('expiresAt', '>', now)
    .executeTakeFirst()
  if (!own) return { ok: false, errors: [inviteInvalid] }
  await advance(deps, own, origin)
  return continueOwn(deps, fields, origin, signal)
}

const usernameTaken: FieldError = { field: 'username', code: 'username_taken' }

/** A form sent twice, or again after a lost answer: whoever knows its address and password goes on with it. */
async function continueOwn(
  deps: RegistrationDeps,
  { username, emailCanonical, password }: CheckedFields,
  origin: Origin,
  signal: AbortSignal | undefined,
): Promise<Begun> {
  const { db, hasher } = deps
  // Who goes without a password has nothing to be known by, and begins anew in the same browser alone.
  if (password === null) return { ok: false, errors: [usernameTaken] }
  const holder = await findHolder(db, username)
  const pending =
    holder?.status === 'unverified' &&
    holder.username === username &&
    holder.emailCanonical === emailCanonical
  // The dummy hash costs the same, so that time does not tell whose registration holds the name.
  const known = await hasher.verify((pending && holder.passwordHash) || undefined, password, signal)
  if (!known || !holder?.registrationId) return { ok: false, errors: [usernameTaken] }
  const registration = await db
    .selectFrom('registrations')
    .selectAll()
    .where('id', '=', holder.registrationId)
    .executeTakeFirst()
  if (!registration) return { ok: false, errors: [usernameTaken] }
  return answer(deps, await advance(deps, registration, origin))
}

async function answer(deps: RegistrationDeps, { id, handleHash }: Registration): Promise<Begun> {
  const key = { id, handle: await tellHandle(deps, { id, handleHash }) }
  const registration = await read(deps.db, key)
  if (!registration) throw new AppError('registration_not_found', 404)
  return { ok: true, key, registration }
}

async function insert(
  { db, keyring, observer }: RegistrationDeps,
  person: CheckedFields & { passwordHash: string | null; invite: string | undefined },
  origin: Origin,
  options: BeginOptions,
): Promise<Registration | undefined> {
  const id = newId()
  const { username, email, emailCanonical, name, locale, passwordHash } = person
  const hours = options.lifetimeHours ?? lifetimeHours
  const inserted = await transact(db, async (trx) => {
    const brought = person.invite && { code: person.invite, email: emailCanonical }
    const invite = brought ? await claimInvite(trx, keyring, brought) : undefined
    if (brought && !invite) return undefined
    const row = await trx
      .insertInto('registrations')
      .values({
        id,
        handleHash: sha256(newestHandle(keyring, id)),
        username,
        email,
        emailCanonical,
        name,
        locale,
        passwordHash,
        inviteId: invite?.id ?? null,
        status: 'initiated',
        lastStep: 'initiated',
        expiresAt: sql<Date>`now() + make_interval(hours => ${hours})`,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    await trx
      .insertInto('registrationTransitions')
      .values({ registrationId: id, toStatus: 'initiated' })
      .execute()
    await record(trx, {
      type: 'registration.started',
      ...(options.actor ? { actor: options.actor } : {}),
      origin,
      detail: { registrationId: id, username, ...(invite ? { inviteId: invite.id } : {}) },
    })
    return row
  })
  if (inserted) observer?.transition?.(null, 'initiated', 0)
  return inserted
}
