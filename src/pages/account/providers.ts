/** The accounts elsewhere that sign a person in here: listed, linked by proving them, unlinked. */
import type { Context } from 'koa'
import { listIdentities, unlinkIdentity } from '../../federation/identities.ts'
import { accountPages } from '../../oidc/account-client.ts'
import type { PageError } from '../../views/page-data.ts'
import type { PagesDeps } from '../context.ts'
import { formOf } from '../flow.ts'
import { type UpstreamPages, upstreamProblemOf } from '../upstream.ts'
import type { AccountFrame, Signed } from './frame.ts'

const action = accountPages.providers
const anyId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function accountProvidersPages(
  deps: PagesDeps,
  frame: AccountFrame,
  { link }: Pick<UpstreamPages, 'link'>,
) {
  const { db } = deps.database
  return { show, submit }

  async function show(ctx: Context, signed: Signed): Promise<void> {
    const error = await upstreamProblemOf(ctx, deps)
    await drawList(ctx, signed, error, error ? 422 : 200)
  }

  async function submit(ctx: Context, signed: Signed): Promise<void> {
    const { act, identity: id = '' } = formOf(ctx)
    if (act !== 'unlink') return link(ctx, signed)
    const { accountId } = signed
    const unlinked = anyId.test(id)
      ? await unlinkIdentity(db, { id, accountId }, ctx.state.origin)
      : ({ ok: false, code: 'identity_gone' } as const)
    if (unlinked.ok) return frame.done(ctx, 'provider-unlinked', 'providers')
    await drawList(ctx, signed, unlinked, unlinked.code === 'last_way_in' ? 409 : 422)
  }

  async function drawList(
    ctx: Context,
    { accountId }: Signed,
    error?: PageError,
    status = 200,
  ): Promise<void> {
    const enabled = await deps.providers.enabled()
    const identities = await listIdentities(db, accountId)
    frame.drawPage(
      ctx,
      'account-providers',
      {
        ...(error ? { error } : {}),
        action,
        identities,
        providers: enabled.map(({ id, name }) => ({ id, name })),
      },
      status,
    )
  }
}
