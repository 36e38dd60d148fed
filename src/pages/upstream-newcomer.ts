/**
 * Somebody whom an upstream knows and we do not. Nobody is ever taken for an account by an address: whoever has one signs
 * in to it by its own means and is then asked whether the two belong together; others make an account.
 */
import type { Context } from 'koa'
import { type Account, findAccount } from '../accounts/accounts.ts'
import { AppError } from '../errors.ts'
import type { ProvenIdentity } from '../federation/claims.ts'
import { labelOf, linkIdentity } from '../federation/identities.ts'
import { createFromUpstream, welcomeFor } from '../federation/newcomers.ts'
import { readProof, spendProof } from '../federation/proofs.ts'
import { beginUpstreamSession } from '../federation/upstream-sessions.ts'
import { limitKeyAddress, networkOf } from '../http/client-address.ts'
import { type Flow, saveProgress } from '../oidc/interactions.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, formOf } from './flow.ts'
import { proveFirst } from './next-step.ts'
import type { PlaceUpstream } from './registration-place.ts'
import { pathOf } from './steps.ts'
import { federatedAmr } from './upstream.ts'

/** In milliseconds since the sign-in: both sides are to be proven in one go. */
const linkedMs = 10 * 60_000

export function upstreamNewcomerPages(deps: PagesDeps) {
  const { db, pool } = deps.database
  const keeping = { db, keyring: deps.keyring }
  const making = { db, config: deps.config }
  return { show, submit, showLink, submitLink, registering }

  async function show(ctx: Context, flow: Flow): Promise<void> {
    await drawWelcome(ctx, flow, {})
  }

  async function submit(ctx: Context, flow: Flow): Promise<void> {
    const { username = '', name = '' } = formOf(ctx)
    const identity = await readProof(keeping, flow.id)
    if (!identity) return forget(ctx, flow)
    const given = { username, name, locale: ctx.state.locale }
    const { address, origin } = ctx.state
    try {
      await deps.limits.consume('registration-address', limitKeyAddress(address))
      await deps.limits.consume('registration-network', networkOf(address))
      const made = await createFromUpstream(making, flow.id, identity, given, origin)
      if (!made.ok) {
        const code = 'code' in made ? made.code : 'invalid_request'
        const error = { code, fields: made.errors }
        return drawWelcome(ctx, flow, { typed: given, error }, 422)
      }
      const account = await findAccount(db, made.accountId)
      if (!account) throw new AppError('account_not_found', 404)
      await letIn(ctx, flow, account, identity)
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 429) throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      await drawWelcome(ctx, flow, { typed: given, error }, 429)
    }
  }

  /** For the pages of registration: whom an upstream has proven in this flow. */
  async function registering(ctx: Context, flow: Flow): Promise<PlaceUpstream | undefined> {
    if (!flow.progress.upstream) return undefined
    const identity = await readProof(keeping, flow.id)
    const provider = identity && (await deps.providers.find(identity.providerId))
    if (!identity || !provider) return undefined
    const { username = '', email = '', name = '' } = identity
    return {
      provider: provider.name,
      label: labelOf(identity),
      typed: { username, email, name },
      async enter(account) {
        const { origin } = ctx.state
        const linked = await linkIdentity(db, account.id, identity, origin, { first: true })
        if (!linked.ok || !linked.added) return false
        await spendProof(db, flow.id)
        await letIn(ctx, flow, account, identity)
        return true
      },
    }
  }

  async function letIn(
    ctx: Context,
    flow: Flow,
    account: Account,
    identity: ProvenIdentity,
  ): Promise<void> {
    const upstream = await beginUpstreamSession(keeping, account.id, identity)
    await saveProgress(pool, flow, { upstream: undefined })
    await proveFirst(ctx, deps, flow, account, federatedAmr, upstream)
  }

  async function drawWelcome(
    ctx: Context,
    flow: Flow,
    given: { typed?: { username: string; name: string }; error?: PageError },
    status = 200,
  ): Promise<void> {
    const identity = await readProof(keeping, flow.id)
    const provider = identity && (await deps.providers.find(identity.providerId))
    if (!identity || !provider) return forget(ctx, flow)
    const { username = '', name = '' } = identity
    draw(
      ctx,
      deps,
      'new-here',
      {
        typed: { username, name },
        ...given,
        action: pathOf(flow.id, 'new-here'),
        app: await appOfFlow(deps, flow),
        welcome: await welcomeFor(making, identity),
        provider: provider.name,
        label: labelOf(identity),
        email: identity.email,
        linkHref: pathOf(flow.id, 'sign-in'),
        registerHref: pathOf(flow.id, 'register'),
      },
      status,
    )
  }

  /** Whoever this flow has let in, a moment ago, with what it had proven elsewhere before. */
  async function bothSides(ctx: Context, { id, login, ...flow }: Flow) {
    const recent = login && Date.now() - login.at * 1000 < linkedMs
    const account = recent ? await findAccount(db, login.accountId) : undefined
    const identity = await readProof(keeping, id)
    const provider = identity && (await deps.providers.find(identity.providerId))
    if (account?.status === 'active' && identity && provider) return { account, identity, provider }
    seeOther(ctx, flow.returnTo)
    return undefined
  }

  async function showLink(ctx: Context, flow: Flow): Promise<void> {
    await drawLink(ctx, flow, {})
  }

  async function submitLink(ctx: Context, flow: Flow): Promise<void> {
    const both = await bothSides(ctx, flow)
    if (!both) return
    const { act } = formOf(ctx)
    if (act === 'link') {
      const { account, identity } = both
      const linked = await linkIdentity(db, account.id, identity, ctx.state.origin)
      if (!linked.ok)
        return drawLink(ctx, flow, { error: refusal(linked.code, both.provider.name) }, 409)
    } else if (act !== 'later') return drawLink(ctx, flow, {})
    await spendProof(db, flow.id)
    seeOther(ctx, flow.returnTo)
  }

  async function drawLink(
    ctx: Context,
    flow: Flow,
    given: { error?: PageError },
    status = 200,
  ): Promise<void> {
    const both = await bothSides(ctx, flow)
    if (!both) return
    draw(
      ctx,
      deps,
      'link-provider',
      {
        ...given,
        action: pathOf(flow.id, 'link-provider'),
        app: await appOfFlow(deps, flow),
        username: both.account.username,
        provider: both.provider.name,
        label: labelOf(both.identity),
      },
      status,
    )
  }

  /** What was proven is gone: too old, used, or its provider switched off. */
  async function forget(ctx: Context, flow: Flow): Promise<void> {
    await saveProgress(pool, flow, { upstream: undefined })
    seeOther(ctx, pathOf(flow.id, 'sign-in'))
  }
}

function refusal(code: string, provider: string): PageError {
  return { code, values: { provider } }
}
