/** The profile by a program. Two who change it at once lose nothing when they send the ETag that they read. */
import type { Context } from 'koa'
import { type Account, findAccount } from '../../accounts/accounts.ts'
import { updateContact } from '../../accounts/contact.ts'
import { drawPicture, mostPictureBytes, removePicture, setPicture } from '../../accounts/picture.ts'
import { updateProfile } from '../../accounts/profile.ts'
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError } from '../../errors.ts'
import { readBytes } from '../../http/body.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { Handlers } from '../operations.ts'
import { type AccountDeps, byPerson, refuseFields } from './context.ts'
import type { profileOperations } from './profile-operations.ts'

export function profileHandlers(deps: AccountDeps): Handlers<typeof profileOperations> {
  const { db } = deps.database

  return {
    async readAccount({ ctx, caller }) {
      return show(ctx, await own(db, caller.accountId))
    },

    async changeProfile({ ctx, caller: { accountId }, body }) {
      const { name, phoneNumber, address, ...rest } = body
      const by = byPerson(ctx, accountId)
      await transact(db, async (trx) => {
        await trx
          .selectFrom('accounts')
          .select('id')
          .where('id', '=', accountId)
          .forUpdate()
          .execute()
        const before = await own(trx, accountId)
        demandMatch(ctx, toJson(before))
        // Apps refuse an empty name, so whoever gives none is called by the username.
        const named = name === undefined ? {} : { name: name.trim() || before.username }
        const done = [
          await updateProfile(trx, accountId, { ...rest, ...named }, by),
          await updateContact(trx, accountId, { phoneNumber, address }, by),
        ]
        const errors = done.flatMap((one) => (one && !one.ok ? one.errors : []))
        // Both or none.
        if (errors.length > 0) throw refuseFields(ctx, deps.views, errors)
      })
      return show(ctx, await own(db, accountId))
    },

    async setPicture({ ctx, caller: { accountId } }) {
      await deps.limits.consume('picture-account', accountId)
      const upload = await readBytes(ctx.req, {
        type: /^image\/[\w.+-]+$/,
        maxBytes: mostPictureBytes,
      })
      const bytes = await drawPicture(upload)
      if (!bytes) throw new AppError('picture_unusable', 400)
      await setPicture(db, { accountId, issuer: deps.config.issuer, bytes }, ctx.state.origin)
    },

    async removePicture({ ctx, caller: { accountId } }) {
      await removePicture(db, accountId, ctx.state.origin)
    },
  }
}

async function own(db: Db, accountId: string): Promise<Account> {
  const account = await findAccount(db, accountId)
  // Erased since the token was looked at.
  if (!account) throw new AppError('invalid_token', 401)
  return account
}

function show(ctx: Context, account: Account) {
  return tagged(ctx, toJson(account))
}

function toJson(account: Account) {
  const { id, username, name, givenName, familyName, locale, zoneinfo, email } = account
  return {
    ...{ id, username, name, givenName, familyName, locale, zoneinfo, email },
    picture: account.pictureUrl,
    phoneNumber: account.phoneNumber,
    address: account.address,
    createdAt: account.createdAt.toISOString(),
    deletionDueAt: account.deletionDueAt?.toISOString() ?? null,
  }
}
