/** Accounts by a program of an admin: found, made, changed, switched off and on. */
import { disableAccount, enableAccount } from '../../accounts/accounts.ts'
import { updateContact } from '../../accounts/contact.ts'
import { type DirectoryEntry, getEntry, searchAccounts } from '../../accounts/directory.ts'
import { updateProfile } from '../../accounts/profile.ts'
import { mailPasswordReset } from '../../credentials/mail-reset.ts'
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError, type FieldError } from '../../errors.ts'
import { registerByOperator } from '../../registration/by-operator.ts'
import { addMember } from '../../roles/groups.ts'
import { grantRole } from '../../roles/holders.ts'
import { assertMayManage } from '../../roles/may-grant.ts'
import { refuseFields } from '../account/context.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { accountsOperations } from './accounts-operations.ts'
import type { AdminCall, AdminDeps, AdminHandlers } from './context.ts'
import { listPage } from './pages.ts'

type Operations = typeof accountsOperations

export function accountsHandlers(deps: AdminDeps): AdminHandlers<Operations> {
  return {
    'accounts.list'(call) {
      const { cursor, page_size, ...filter } = call.query
      return listPage(call, {
        fetch: ({ limit, after }) => searchAccounts(call.db, filter, { limit, after: after?.[0] }),
        keysOf: ({ username }) => [username],
        toJson: accountJson,
      })
    },

    async 'accounts.create'({ ctx, db, by, body }) {
      const { roles = [], groups = [], email_verified: verified, send_mail: send, ...given } = body
      const id = await transact(db, async (trx) => {
        const person = { ...given, password: null, verified }
        const registration = { ...deps.registration, db: trx }
        const made = await registerByOperator(registration, person, by.actor, by.origin)
        if (!made.ok) throw refuseNew(ctx, deps, made.errors)
        const { accountId } = made
        const holder = { kind: 'account', id: accountId } as const
        for (const role of roles) await grantRole(trx, role, holder, by)
        for (const group of groups) await addMember(trx, group, accountId, by)
        if (send) await mailPasswordReset(trx, accountId, by)
        return accountId
      })
      ctx.set('Location', `${deps.config.issuer}/api/admin/accounts/${id}`)
      return tagged(ctx, accountJson(await getEntry(db, id)))
    },

    async 'accounts.get'({ ctx, db, params: { id = '' } }) {
      return tagged(ctx, accountJson(await getEntry(db, id)))
    },

    async 'accounts.update'(call) {
      const { ctx, db, params } = call
      const { id = '' } = params
      await transact(db, async (trx) => {
        const before = await getEntry(trx, id, { lock: true })
        await assertMayManage(trx, call.by, { kind: 'account', id })
        demandMatch(ctx, accountJson(before), { required: true })
        await change(trx, before, call, deps)
      })
      return tagged(ctx, accountJson(await getEntry(db, id)))
    },
  }
}

/** All of it, or none. */
async function change(
  trx: Db,
  { id, status: was }: DirectoryEntry,
  { ctx, by, body }: AdminCall<Operations, 'accounts.update'>,
  deps: AdminDeps,
): Promise<void> {
  const { status, disabled_reason: reason = '', phone_number, address, ...names } = body
  if (status === 'active') await enableAccount(trx, id, by.actor, by.origin)
  const { given_name: givenName, family_name: familyName, ...rest } = names
  const profile = { ...rest, givenName, familyName }
  const contact = { phoneNumber: phone_number, address }
  const own = { actor: by.actor, origin: by.origin ?? {} }
  const done: (Awaited<ReturnType<typeof updateProfile>> | 'inactive')[] = []
  if (isGiven(profile)) done.push((await updateProfile(trx, id, profile, own)) ?? 'inactive')
  if (isGiven(contact)) done.push((await updateContact(trx, id, contact, own)) ?? 'inactive')
  if (done.includes('inactive')) throw new AppError('account_not_active', 409)
  const errors = done.flatMap((one) => (typeof one === 'object' && !one.ok ? one.errors : []))
  if (errors.length > 0) throw refuseFields(ctx, deps.views, errors)
  if (status === 'disabled' && was !== 'disabled') {
    await disableAccount(trx, id, reason, by.actor, by.origin)
  }
}

function isGiven(members: object): boolean {
  return Object.values(members).some((value) => value !== undefined)
}

function refuseNew(
  ctx: AdminCall<Operations, 'accounts.create'>['ctx'],
  { views }: AdminDeps,
  errors: FieldError[],
): AppError {
  const taken = errors.every(({ code }) => code.endsWith('_taken'))
  return refuseFields(ctx, views, errors, taken ? 409 : 400)
}

export function accountJson(account: DirectoryEntry) {
  const { id, username, email, name, locale, zoneinfo, address, status, roles, groups } = account
  return {
    ...{ id, username, email, name, locale, zoneinfo, address, status, roles, groups },
    email_verified: account.emailVerifiedAt !== null,
    given_name: account.givenName,
    family_name: account.familyName,
    phone_number: account.phoneNumber,
    phone_number_verified: account.phoneNumberVerifiedAt !== null,
    picture: account.pictureUrl,
    has_password: account.passwordHash !== null,
    disabled_reason: account.disabledReason,
    deletion_due_at: account.deletionDueAt?.toISOString() ?? null,
    created_at: account.createdAt.toISOString(),
    updated_at: account.updatedAt.toISOString(),
  }
}
