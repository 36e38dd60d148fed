/**
 * Invitations as admins keep them: made with a number of uses, an end, roles and perhaps one address, listed and revoked.
 * How one is used up is claim.ts's.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { canonicalEmail } from '../accounts/email.ts'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { enqueue } from '../jobs/tasks.ts'
import { assertGivable } from '../roles/groups.ts'
import { beginChange } from '../roles/may-grant.ts'
import { assertRole, ensureRole } from '../roles/roles.ts'
import { inviteCode, inviteHashes } from './codes.ts'

export type Invite = {
  id: string
  uses: number
  /** By people who are here, and by registrations that are still under way. */
  used: number
  roles: string[]
  email: string | null
  note: string | null
  createdBy: string
  createdAt: Date
  expiresAt: Date | null
  revokedAt: Date | null
  state: 'open' | 'used' | 'expired' | 'revoked'
}

export type InviteInput = {
  uses: number
  /** Null: it does not end by itself. */
  lifetimeSeconds: number | null
  roles: string[]
  email?: string | undefined
  note?: string | undefined
  /** The language of a mail to `email`, which then is sent. */
  sendIn?: 'en' | 'zh-CN' | undefined
}

type By = { actor: Actor; origin?: Origin | undefined }

/**
 * `code` is told here and never again. Throws `invite_uses_invalid`, `invite_note_too_long`, `invite_without_address`,
 * `email_invalid` and `role_invalid` (all 400), `role_everybodys` (422), `grants_more_than_held` (403).
 */
export async function createInvite(
  { db, keyring }: { db: Db; keyring: Keyring },
  input: InviteInput,
  { actor, origin }: By,
): Promise<{ code: string; invite: Invite }> {
  const { uses, lifetimeSeconds, note, sendIn } = input
  const address = readAddress(input.email)
  if (!Number.isInteger(uses) || uses < 1 || uses > 1_000_000) {
    throw new AppError('invite_uses_invalid', 400)
  }
  if ((note ?? '').length > 200) throw new AppError('invite_note_too_long', 400)
  if (sendIn && !address) throw new AppError('invite_without_address', 400)
  const roles = [...new Set(input.roles)]
  roles.forEach(assertRole)
  roles.forEach(assertGivable)
  const id = randomBytes(5).toString('hex')
  const code = inviteCode(keyring, id)
  const [codeHash] = inviteHashes(keyring, code)
  if (!codeHash) throw new Error('an invitation without a code')
  return transact(db, async (trx) => {
    if (roles.length > 0) await beginChange(trx, { actor, origin }, { roles })
    for (const role of roles) await ensureRole(trx, role, { actor, origin })
    await trx
      .insertInto('invites')
      .values({
        id,
        codeHash,
        uses,
        roles,
        email: address?.email ?? null,
        emailCanonical: address?.canonical ?? null,
        note: note || null,
        createdBy: actor.id ?? actor.kind,
        expiresAt:
          lifetimeSeconds === null
            ? null
            : sql<Date>`now() + make_interval(secs => ${lifetimeSeconds})`,
      })
      .execute()
    // The address stands in the row, which goes with the person.
    const detail = { id, uses, lifetimeSeconds, roles, bound: !!address, sent: !!sendIn }
    await record(trx, { type: 'invite.created', actor, origin, detail })
    if (sendIn) await enqueue(trx, 'mail.invite', { inviteId: id, locale: sendIn })
    return { code, invite: (await findInvite(trx, id)) as Invite }
  })
}

/** The newest first, those that have ended too. */
export function listInvites(db: Db): Promise<Invite[]> {
  return readInvites(db, sql`true`)
}

export async function findInvite(db: Db, id: string): Promise<Invite | undefined> {
  return (await readInvites(db, sql`id = ${id}`))[0]
}

/**
 * Nobody begins with it any more, and who has begun does not come in; who is in stays. False when it was revoked already.
 */
export function revokeInvite(db: Db, id: string, { actor, origin }: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const gone = await trx
      .updateTable('invites')
      .set({ revokedAt: sql<Date>`now()` })
      .where('id', '=', id)
      .where('revokedAt', 'is', null)
      .returning(['uses', 'used'])
      .executeTakeFirst()
    if (!gone) return false
    await record(trx, { type: 'invite.revoked', actor, origin, detail: { id, ...gone } })
    return true
  })
}

function readAddress(email: string | undefined) {
  if (email === undefined) return undefined
  const address = canonicalEmail(email)
  if (!address.ok) throw new AppError(address.code, 400)
  return address
}

async function readInvites(db: Db, condition: ReturnType<typeof sql>): Promise<Invite[]> {
  const { rows } = await sql<Invite>`
    select id, uses, used, roles, email, note, created_by, created_at, expires_at, revoked_at,
      case when revoked_at is not null then 'revoked'
        when used >= uses then 'used'
        when expires_at <= now() then 'expired'
        else 'open' end as state
    from invites where ${condition} order by created_at desc, id`.execute(db)
  return rows
}
