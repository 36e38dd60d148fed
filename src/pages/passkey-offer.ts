/**
 * After a sign-in by password, with or without a code beside it, whoever has no passkey is offered one, once on each device:
 * the last step of the flow, open to
 * whoever has just been let in by it. The script says beforehand whether the device can make one.
 */
import type { Context } from 'koa'
import { findAccount } from '../accounts/accounts.ts'
import { addPasskey, createPasskeyOptions } from '../credentials/add-passkey.ts'
import { declineOffer, wantsOffer } from '../credentials/passkey-declines.ts'
import { findRelyingParty, relyingPartyOf } from '../credentials/passkey-domain.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import type { Flow } from '../oidc/interactions.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, formOf } from './flow.ts'
import { pathOf } from './steps.ts'

/** In milliseconds since the sign-in. */
const offeredMs = 10 * 60_000

/** What the script says with the password. */
export function isAble(ctx: Context): boolean {
  return formOf(ctx).passkeys === 'yes'
}

/** Asked before the device is remembered. */
export async function isOffered(
  ctx: Context,
  deps: PagesDeps,
  account: { id: string; passwordChangedAt: Date | null },
  { amr, able }: { amr: readonly string[]; able: boolean },
): Promise<boolean> {
  if (!able || !amr.includes('pwd') || !relyingPartyOf(deps.config)) return false
  return wantsOffer(deps.database.db, account.id, deps.knownDevices.find(ctx, account))
}

export function passkeyOfferPages(deps: PagesDeps) {
  const { db } = deps.database
  const own = relyingPartyOf(deps.config)
  return { show, options, submit }

  async function show(ctx: Context, flow: Flow): Promise<void> {
    if (await newcomer(ctx, flow)) await drawOffer(ctx, flow, {})
  }

  async function options(ctx: Context, flow: Flow): Promise<void> {
    const account = await newcomer(ctx, flow)
    if (!account || !own) return
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    const given = { account, boundTo: boundTo(flow) }
    ctx.body = await createPasskeyOptions(db, await findRelyingParty(db, own), given)
  }

  async function submit(ctx: Context, flow: Flow): Promise<void> {
    const account = await newcomer(ctx, flow)
    if (!account || !own) return
    const { act, answer = '' } = formOf(ctx)
    if (act === 'later') {
      const device = deps.knownDevices.find(ctx, account)
      if (device) await declineOffer(db, account.id, device)
      return seeOther(ctx, flow.returnTo)
    }
    const given = { accountId: account.id, boundTo: boundTo(flow), answer }
    const party = await findRelyingParty(db, own)
    const added = await addPasskey(db, party, given, ctx.state.origin)
    if (added.ok) return seeOther(ctx, flow.returnTo)
    await drawOffer(ctx, flow, { error: added }, 422)
  }

  /** Whoever this flow has let in, a moment ago; others go on to where the flow leads. */
  async function newcomer(ctx: Context, flow: Flow) {
    const { login } = flow
    const account =
      own && login && Date.now() - login.at * 1000 < offeredMs
        ? await findAccount(db, login.accountId)
        : undefined
    if (account?.status === 'active') return account
    seeOther(ctx, flow.returnTo)
    return undefined
  }

  async function drawOffer(
    ctx: Context,
    flow: Flow,
    given: { error?: PageError },
    status = 200,
  ): Promise<void> {
    const action = pathOf(flow.id, 'add-passkey')
    const app = await appOfFlow(deps, flow)
    const data = { ...given, action, app, optionsAction: `${action}/options` }
    draw(ctx, deps, 'add-passkey', data, status)
  }
}

function boundTo(flow: Flow): string {
  return `flow ${flow.id}`
}
