/**
 * Initial access tokens (RFC 7591 §3): who may register an app without an admin, how often, until when, and what such
 * apps may ask for. Without one nobody registers anything. The token is shown once; its hash is kept.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { resolvePolicy, type ScopePolicy } from './access.ts'
import { checkPolicy } from './registration-policy.ts'
import type { Problem } from './rules/problem.ts'

/** What the apps of one token may ask for. */
export type RegistrationPolicy = ScopePolicy & {
  grantTypes: string[]
  /** Hosts of redirect URIs, with a port or without; empty: any that a client may have. */
  redirectHosts: string[]
}

export type RegistrationToken = RegistrationPolicy & {
  id: string
  name: string
  /** Null: as often as it is shown. */
  usesLeft: number | null
  /** How many apps it has registered, and how many of these are there. */
  used: number
  clients: number
  createdAt: Date
  expiresAt: Date | null
  revokedAt: Date | null
  /** Whether it lets anybody in now. */
  live: boolean
}

export const defaultRegistrationPolicy: RegistrationPolicy = {
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  apis: [],
  grantTypes: ['authorization_code', 'refresh_token'],
  redirectHosts: [],
}

export type RegistrationTokenInput = RegistrationPolicy & {
  name: string
  uses: number | null
  lifetimeSeconds: number | null
}

type By = { actor: Actor; origin?: Origin }

/** `token` is in clear here and never again. */
export async function createRegistrationToken(
  db: Db,
  input: RegistrationTokenInput,
  { actor, origin }: By,
): Promise<
  | { ok: true; token: string; registrationToken: RegistrationToken }
  | { ok: false; reason: 'invalid'; problems: Problem[] }
  | { ok: false; reason: 'taken' }
> {
  const { policy, problems: unresolved } = await resolvePolicy(db, input)
  const problems = [...checkPolicy(input), ...unresolved]
  if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
  return transact(db, async (trx) => {
    const { name, uses, lifetimeSeconds, grantTypes, redirectHosts } = input
    const [token, id] = [randomToken(32), randomBytes(5).toString('hex')]
    const { numInsertedOrUpdatedRows: inserted } = await trx
      .insertInto('registrationTokens')
      .values({
        id,
        name,
        tokenHash: sha256(token),
        usesLeft: uses,
        ...policy,
        grantTypes,
        redirectHosts,
        expiresAt:
          lifetimeSeconds === null
            ? null
            : sql<Date>`now() + make_interval(secs => ${lifetimeSeconds})`,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst()
    if (inserted === 0n) return { ok: false, reason: 'taken' }
    // Discovery promises registration from now on.
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'registration_token.created',
      actor,
      origin,
      detail: { id, name, uses, lifetimeSeconds, ...policy, grantTypes, redirectHosts },
    })
    const [registrationToken] = await readTokens(trx, sql`t.id = ${id}`)
    return { ok: true, token, registrationToken: registrationToken as RegistrationToken }
  })
}

/** The newest first, those that have ended too. */
export function listRegistrationTokens(db: Db): Promise<RegistrationToken[]> {
  return readTokens(db, sql`true`)
}

/** By id, else by name; of a name that was given again the one that is not revoked. */
export async function findRegistrationToken(
  db: Db,
  nameOrId: string,
): Promise<RegistrationToken | undefined> {
  const rows = await readTokens(db, sql`t.id = ${nameOrId} or lower(t.name) = lower(${nameOrId})`)
  return (
    rows.find(({ id }) => id === nameOrId) ?? rows.find((row) => row.revokedAt === null) ?? rows[0]
  )
}

/** Nobody registers with it any more; apps that did stay, and may be managed. False when it was revoked already. */
export function revokeRegistrationToken(
  db: Db,
  id: string,
  { actor, origin }: By,
): Promise<boolean> {
  return transact(db, async (trx) => {
    const gone = await trx
      .updateTable('registrationTokens')
      .set({ revokedAt: sql<Date>`now()` })
      .where('id', '=', id)
      .where('revokedAt', 'is', null)
      .returning('name')
      .executeTakeFirst()
    if (!gone) return false
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'registration_token.revoked',
      actor,
      origin,
      detail: { id, ...gone },
    })
    return true
  })
}

/** The policy behind a token that lets in now; looking uses nothing up. */
export async function findLiveToken(db: Db, token: string): Promise<RegistrationToken | undefined> {
  const rows = await readTokens(db, sql`t.token_hash = ${sha256(token)}`)
  return rows.find(({ live }) => live)
}

/** Of many at once only as many succeed as uses are left: the guard is the statement. Part of the caller's transaction. */
export async function spendRegistrationToken(trx: Db, id: string): Promise<boolean> {
  const { rows } = await sql`
    update registration_tokens set uses_left = uses_left - 1, used = used + 1
    where id = ${id} and revoked_at is null and (expires_at is null or expires_at > now())
      and (uses_left is null or uses_left > 0)
    returning id`.execute(trx)
  return rows.length > 0
}

/** Until when somebody could register: null for ever, undefined when nobody can. */
export async function registrationOpenUntil(db: Db): Promise<Date | null | undefined> {
  const live = (await listRegistrationTokens(db)).filter((token) => token.live)
  if (live.length === 0) return undefined
  const ends = live.flatMap(({ expiresAt }) => (expiresAt ? [expiresAt.getTime()] : []))
  return ends.length < live.length ? null : new Date(Math.max(...ends))
}

async function readTokens(db: Db, condition: ReturnType<typeof sql>): Promise<RegistrationToken[]> {
  const { rows } = await sql<RegistrationToken>`
    select t.id, t.name, t.uses_left, t.used, t.scopes, t.apis, t.grant_types, t.redirect_hosts,
      t.created_at, t.expires_at, t.revoked_at,
      (select count(*)::int from clients c where c.registered_with = t.id) as clients,
      (t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
        and (t.uses_left is null or t.uses_left > 0)) as live
    from registration_tokens t where ${condition} order by t.created_at desc, t.id`.execute(db)
  return rows
}
