/** Authenticators, recovery codes and passkeys by a program. */
import type { Context } from 'koa'
import { addPasskey, createPasskeyOptions } from '../../credentials/add-passkey.ts'
import {
  addAuthenticator,
  beginAuthenticator,
  listAuthenticators,
  removeAuthenticator,
  renameAuthenticator,
  reopenSetUp,
} from '../../credentials/authenticators.ts'
import { findRelyingParty, relyingPartyOf } from '../../credentials/passkey-domain.ts'
import { listPasskeys, removePasskey, renamePasskey } from '../../credentials/passkeys.ts'
import {
  countRecoveryCodes,
  firstRecoveryCodes,
  renewRecoveryCodes,
} from '../../credentials/recovery-codes.ts'
import { AppError } from '../../errors.ts'
import { limitKeyAddress } from '../../http/client-address.ts'
import type { Row } from '../../sessions/artefacts.ts'
import type { Handlers } from '../operations.ts'
import { type AccountDeps, byPerson, idOf, isoOf, refuseField } from './context.ts'
import type { factorOperations } from './factor-operations.ts'

type Asker = {
  accountId: string
  account: Row
  clientId: string
  grantId: string
  sessionUid?: string
}

export function factorHandlers(deps: AccountDeps): Handlers<typeof factorOperations> {
  const { db } = deps.database
  const keeping = { db, keyring: deps.keyring }
  const ourselves = relyingPartyOf(deps.config)

  const refuseName = (ctx: Context, code: string) => {
    if (code.endsWith('_gone')) throw new AppError(code, 404)
    throw refuseField(ctx, deps.views, 'name', code)
  }

  async function party() {
    if (!ourselves) throw new AppError('not_found', 404)
    return findRelyingParty(db, ourselves)
  }

  return {
    async listAuthenticators({ caller: { accountId } }) {
      const all = await listAuthenticators(db, accountId)
      const authenticators = all.map(({ id, name, createdAt, lastUsedAt }) => ({
        ...{ id, name, createdAt: createdAt.toISOString(), lastUsedAt: isoOf(lastUsedAt) },
      }))
      return { authenticators }
    },

    async beginAuthenticator({ caller }) {
      const setUp = beginAuthenticator(deps.keyring, settingOf(caller), deps.config.brandName)
      return { ticket: setUp.ticket, secret: setUp.secret, uri: setUp.address }
    },

    async addAuthenticator({ ctx, caller, body: { ticket, code, name } }) {
      const { accountId } = caller
      const { origin } = ctx.state
      const setUp = reopenSetUp(deps.keyring, ticket, settingOf(caller), deps.config.brandName)
      if (!setUp) throw refuseField(ctx, deps.views, 'ticket', 'set_up_expired')
      const added = await addAuthenticator(keeping, setUp, { accountId, name, code }, origin)
      if (!added.ok && added.code === 'code_wrong') {
        throw refuseField(ctx, deps.views, 'code', 'set_up_code_wrong')
      }
      if (!added.ok) throw new AppError(added.code, 409)
      const recoveryCodes = await firstRecoveryCodes(keeping, accountId, origin)
      ctx.set('Location', `/api/account/authenticators/${added.id}`)
      return { id: added.id, recoveryCodes: recoveryCodes ?? null }
    },

    async renameAuthenticator({ ctx, params, caller: { accountId }, body: { name } }) {
      const id = idOf(params, 'authenticator_gone')
      const renamed = await renameAuthenticator(db, { id, accountId, name }, ctx.state.origin)
      if (!renamed.ok) refuseName(ctx, renamed.code)
    },

    async removeAuthenticator({ ctx, params, caller: { accountId } }) {
      const id = idOf(params, 'authenticator_gone')
      const removed = await removeAuthenticator(db, { id, accountId }, byPerson(ctx, accountId))
      if (!removed) throw new AppError('authenticator_gone', 404)
    },

    async countRecoveryCodes({ caller: { accountId } }) {
      const { left, made } = await countRecoveryCodes(db, accountId)
      return { left, madeAt: isoOf(made) }
    },

    async renewRecoveryCodes({ ctx, caller: { accountId } }) {
      return { codes: await renewRecoveryCodes(keeping, accountId, ctx.state.origin) }
    },

    async listPasskeys({ caller: { accountId } }) {
      const all = await listPasskeys(db, accountId)
      const passkeys = all.map(({ id, name, backedUp, createdAt, lastUsedAt }) => ({
        ...{ id, name, backedUp },
        createdAt: createdAt.toISOString(),
        lastUsedAt: isoOf(lastUsedAt),
      }))
      return { passkeys }
    },

    async passkeyOptions({ ctx, caller }) {
      const at = await party()
      await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
      const { username, name } = caller.account
      const account = { id: caller.accountId, username: String(username), name: String(name) }
      const options = await createPasskeyOptions(db, at, { account, boundTo: placeOf(caller) })
      return { ...options }
    },

    async addPasskey({ ctx, caller, body }) {
      const { accountId } = caller
      const answer = JSON.stringify(body.answer)
      const given = { accountId, boundTo: placeOf(caller), answer }
      const added = await addPasskey(db, await party(), given, ctx.state.origin)
      if (!added.ok && ['passkey_taken', 'passkey_too_many'].includes(added.code)) {
        throw new AppError(added.code, 409)
      }
      if (!added.ok) throw refuseField(ctx, deps.views, 'answer', added.code)
      ctx.set('Location', `/api/account/passkeys/${added.id}`)
      return { id: added.id }
    },

    async renamePasskey({ ctx, params, caller: { accountId }, body: { name } }) {
      const id = idOf(params, 'passkey_gone')
      const renamed = await renamePasskey(db, { id, accountId, name }, ctx.state.origin)
      if (!renamed.ok) refuseName(ctx, renamed.code)
    },

    async removePasskey({ ctx, params, caller: { accountId } }) {
      const id = idOf(params, 'passkey_gone')
      const removed = await removePasskey(db, { id, accountId }, ctx.state.origin)
      if (!removed.ok) throw new AppError(removed.code, removed.code === 'last_way_in' ? 409 : 404)
    },
  }
}

/** What was begun with a sign-in is finished with it: another app, or another sign-in, begins anew. */
function placeOf({ clientId, sessionUid, grantId }: Asker): string {
  return `api ${clientId} ${sessionUid ?? grantId}`
}

function settingOf(caller: Asker) {
  const { accountId, account } = caller
  return { accountId, username: String(account.username), place: placeOf(caller) }
}
