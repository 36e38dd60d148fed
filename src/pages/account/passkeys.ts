/**
 * A person's passkeys: added, named, removed, each within a recent sign-in. What an authenticator answers comes back in a
 * form's field, and its challenge belongs to this session.
 */
import type { Context } from 'koa'
import { addPasskey, createPasskeyOptions, userHandleOf } from '../../credentials/add-passkey.ts'
import { findRelyingParty, relyingPartyOf } from '../../credentials/passkey-domain.ts'
import { listPasskeys, removePasskey, renamePasskey } from '../../credentials/passkeys.ts'
import { AppError } from '../../errors.ts'
import { limitKeyAddress } from '../../http/client-address.ts'
import { accountPages } from '../../oidc/account-client.ts'
import type { PageError } from '../../views/page-data.ts'
import { type PagesDeps, seeOther } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

const action = accountPages.passkeys
const anyId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function accountPasskeysPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  const own = relyingPartyOf(deps.config)
  return { show, options, submit }

  async function show(ctx: Context, signed: Signed): Promise<void> {
    const { rename } = ctx.query
    await drawPasskeys(ctx, signed, typeof rename === 'string' ? { renaming: rename } : {})
  }

  /** What the script hands to the browser. */
  async function options(ctx: Context, { session, account, accountId }: Signed): Promise<void> {
    if (!own) throw new AppError('not_found', 404)
    const party = await findRelyingParty(db, own)
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    const person = { id: accountId, username: String(account.username), name: String(account.name) }
    ctx.body = await createPasskeyOptions(db, party, { account: person, boundTo: boundTo(session) })
  }

  async function submit(ctx: Context, signed: Signed): Promise<void> {
    const { act, passkey: id = '', name = '' } = formOf(ctx)
    if (act === 'rename') {
      const renamed = await change(id, () =>
        renamePasskey(db, { id, accountId: signed.accountId, name }, ctx.state.origin),
      )
      if (renamed.ok) return seeOther(ctx, action)
      return drawPasskeys(ctx, signed, { error: renamed, renaming: id }, 422)
    }
    if (act === 'remove') {
      const removed = await change(id, () =>
        removePasskey(db, { id, accountId: signed.accountId }, ctx.state.origin),
      )
      if (removed.ok) return frame.done(ctx, 'passkey-removed', 'passkeys')
      return drawPasskeys(
        ctx,
        signed,
        { error: removed },
        removed.code === 'last_way_in' ? 409 : 422,
      )
    }
    await add(ctx, signed)
  }

  async function add(ctx: Context, signed: Signed): Promise<void> {
    if (!own) throw new AppError('not_found', 404)
    const party = await findRelyingParty(db, own)
    const { answer = '' } = formOf(ctx)
    const given = { accountId: signed.accountId, boundTo: boundTo(signed.session), answer }
    const added = await addPasskey(db, party, given, ctx.state.origin)
    if (added.ok) return frame.done(ctx, 'passkey-added', 'passkeys')
    await drawPasskeys(ctx, signed, { error: added }, 422)
  }

  async function drawPasskeys(
    ctx: Context,
    { account, accountId }: Signed,
    given: { error?: PageError; renaming?: string },
    status = 200,
  ): Promise<void> {
    const passkeys = await listPasskeys(db, accountId)
    const current = own && {
      rpId: (await findRelyingParty(db, own)).id,
      userId: await userHandleOf(db, accountId),
      allAcceptedCredentialIds: passkeys.map(({ credentialId }) => credentialId),
      name: String(account.username),
      displayName: String(account.name),
    }
    const optionsAction = own && `${action}/options`
    const data = { ...given, action, optionsAction, passkeys, current }
    frame.drawPage(ctx, 'account-passkeys', data, status)
  }
}

function boundTo(session: Signed['session']): string {
  return `session ${session.uid}`
}

/** What is no id is the id of nothing. */
async function change<T>(id: string, act: () => Promise<T>) {
  return anyId.test(id) ? act() : ({ ok: false, code: 'passkey_gone' } as const)
}
