/**
 * Signing in by somebody else's word: the way there, from a button, and the way back. The way back comes without the flow's
 * cookie, which is bound to the flow's path; that it is the same browser is told by the cookie that is bound to nothing but
 * this host. Whatever fails leads to the page that it began on, in words, with every other way to go on.
 */
import type { Context } from 'koa'
import { AppError } from '../errors.ts'
import type { ProvenIdentity } from '../federation/claims.ts'
import { authorizationUrl, callbackPath, redeem } from '../federation/exchange.ts'
import { linkIdentity, useIdentity } from '../federation/identities.ts'
import { presets } from '../federation/presets.ts'
import { keepProof } from '../federation/proofs.ts'
import type { Provider } from '../federation/providers.ts'
import {
  beginRequest,
  keepAnswer,
  type Purpose,
  spendRequest,
  type UpstreamRequest,
} from '../federation/requests.ts'
import {
  UpstreamError,
  type UpstreamProblem,
  upstreamErrorOf,
  upstreamProblems,
} from '../federation/upstream-error.ts'
import { beginUpstreamSession } from '../federation/upstream-sessions.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { accountPages } from '../oidc/account-client.ts'
import { type Flow, saveProgress } from '../oidc/interactions.ts'
import type { PageError } from '../views/page-data.ts'
import { type AccountFrame, isFresh, type Signed, takenSeconds } from './account/frame.ts'
import { type PagesDeps, seeOther } from './context.ts'
import { drawLost, enterFlow, formOf } from './flow.ts'
import { asksAnew, proveFirst } from './next-step.ts'
import { pathOf } from './steps.ts'

/** What a session says of somebody whom an upstream has signed in (credentials/step-up.ts). */
export const federatedAmr = ['user']

export type UpstreamPages = ReturnType<typeof upstreamPages>

export function upstreamPages(deps: PagesDeps, frame: Pick<AccountFrame, 'sessionOf' | 'done'>) {
  const { db } = deps.database
  const keeping = { db, keyring: deps.keyring }
  const { issuer } = deps.config
  return { start, startIn, link, callback, receive }

  /** The button of a sign-in or registration page. */
  async function start(ctx: Context, flow: Flow): Promise<void> {
    await startIn(ctx, flow, formOf(ctx).provider ?? '')
  }

  async function startIn(ctx: Context, flow: Flow, providerId: string): Promise<void> {
    const purpose = { kind: 'flow', flowId: flow.id } as const
    await goThere(ctx, providerId, purpose, asksAnew(flow) || asksForTime(flow))
  }

  /** From the own account: whoever is signed in proves the other side, anew. */
  function link(ctx: Context, { accountId, session }: Signed): Promise<void> {
    const purpose = { kind: 'link', accountId, sessionUid: String(session.uid) } as const
    return goThere(ctx, formOf(ctx).provider ?? '', purpose, false)
  }

  async function goThere(
    ctx: Context,
    providerId: string,
    purpose: Purpose,
    fresh: boolean,
  ): Promise<void> {
    const provider = await deps.providers.find(providerId)
    if (!provider) return goBack(ctx, purpose, providerId, 'upstream_expired')
    await deps.limits.consume('upstream-address', limitKeyAddress(ctx.state.address))
    try {
      await deps.upstreams.connect(provider)
      const browser = deps.csrf.browser(ctx)
      const request = await beginRequest(keeping, { providerId, browser, purpose, fresh })
      const { locale } = ctx.state
      seeOther(ctx, await authorizationUrl(deps.upstreams, provider, request, { issuer, locale }))
    } catch (error) {
      fail(ctx, purpose, provider, error)
    }
  }

  /** An answer by a form from the upstream's own site: kept for the request after it, which brings our cookies. */
  async function receive(ctx: Context): Promise<void> {
    const provider = await providerOf(ctx)
    if (!provider || presets[provider.preset].responseMode !== 'form_post') {
      throw new AppError('not_found', 404)
    }
    await deps.limits.consume('upstream-address', limitKeyAddress(ctx.state.address))
    const answer = new URLSearchParams(formOf(ctx))
    const state = answer.get('state') ?? ''
    const kept = await keepAnswer(keeping, { providerId: provider.id, state, answer })
    const query = kept ? `?state=${encodeURIComponent(state)}` : ''
    seeOther(ctx, callbackPath(provider.id) + query)
  }

  async function callback(ctx: Context): Promise<void> {
    const inQuery = new URLSearchParams(ctx.querystring)
    const state = inQuery.get('state')
    // No page that is drawn below leads back to what came.
    ctx.querystring = ''
    const provider = await providerOf(ctx)
    if (ctx.method !== 'GET') throw new AppError('not_found', 404)
    if (!provider || !state) return drawLost(ctx, deps, { reason: 'expired' })
    await deps.limits.consume('upstream-address', limitKeyAddress(ctx.state.address))
    const browsers = deps.csrf.browsers(ctx)
    const spent = await spendRequest(keeping, { providerId: provider.id, state, browsers })
    if (!spent) return drawLost(ctx, deps, { reason: 'expired' })
    const { request } = spent
    const byForm = presets[provider.preset].responseMode === 'form_post'
    const answer = byForm ? spent.answer : inQuery
    if (request.purpose.kind === 'link') return intoAccount(ctx, provider, request, answer)
    const { flowId } = request.purpose
    await enterFlow(ctx, deps, { flowId, cookie: flowId, step: 'sign-in' }, (_, flow) =>
      intoFlow(ctx, flow, { provider, request, answer }),
    )
  }

  type Answered = {
    provider: Provider
    request: UpstreamRequest
    answer: URLSearchParams | undefined
  }

  async function intoFlow(ctx: Context, flow: Flow, answered: Answered): Promise<void> {
    const { provider, request } = answered
    const identity = await prove(ctx, answered)
    if (!identity) return
    const account = await useIdentity(db, identity, ctx.state.origin)
    if (!account) {
      await keepProof(keeping, flow.id, identity)
      await saveProgress(deps.database.pool, flow, { upstream: provider.id })
      return seeOther(ctx, pathOf(flow.id, 'new-here'))
    }
    if (account.status !== 'active') {
      deps.onSignIn('not_active')
      return goBack(ctx, request.purpose, provider.id, 'account_disabled')
    }
    const upstream = await beginUpstreamSession(keeping, account.id, identity)
    await saveProgress(deps.database.pool, flow, { upstream: undefined })
    await proveFirst(ctx, deps, flow, account, federatedAmr, upstream)
  }

  async function intoAccount(
    ctx: Context,
    provider: Provider,
    request: UpstreamRequest,
    answer: URLSearchParams | undefined,
  ): Promise<void> {
    const { purpose } = request
    const { session, account } = await frame.sessionOf(ctx)
    const same =
      purpose.kind === 'link' &&
      session?.uid === purpose.sessionUid &&
      account?.id === purpose.accountId &&
      isFresh(session, takenSeconds)
    // Signed out, or somebody else, since then.
    if (!same) return goBack(ctx, purpose, provider.id, 'upstream_expired')
    const identity = await prove(ctx, { provider, request, answer })
    if (!identity) return
    const linked = await linkIdentity(db, purpose.accountId, identity, ctx.state.origin)
    if (linked.ok) return frame.done(ctx, 'provider-linked', 'providers')
    goBack(ctx, purpose, provider.id, 'identity_taken')
  }

  /** Undefined when it came to nothing, and the person has been sent back with the reason. */
  async function prove(ctx: Context, answered: Answered): Promise<ProvenIdentity | undefined> {
    const { provider, request, answer } = answered
    try {
      if (!answer) throw new UpstreamError('upstream_invalid', 'the answer did not come by a form')
      return await redeem(deps.upstreams, provider, request, { answer, issuer })
    } catch (error) {
      fail(ctx, request.purpose, provider, error)
      return undefined
    }
  }

  function fail(ctx: Context, purpose: Purpose, provider: Provider, error: unknown): void {
    const known = upstreamErrorOf(error)
    deps.onUpstreamProblem(provider.id, known)
    goBack(ctx, purpose, provider.id, known.code)
  }

  function goBack(
    ctx: Context,
    purpose: Purpose,
    providerId: string,
    problem: UpstreamProblem,
  ): void {
    const path =
      purpose.kind === 'link' ? accountPages.providers : pathOf(purpose.flowId, 'sign-in')
    seeOther(ctx, `${path}?${new URLSearchParams({ problem, provider: providerId })}`)
  }

  function providerOf(ctx: Context): Promise<Provider | undefined> {
    const { provider } = (ctx as unknown as { params: { provider: string } }).params
    return deps.providers.find(provider)
  }
}

/** The app holds the time of the sign-in to something, and a sign-in there from memory would not be it. */
function asksForTime({ parameters }: Flow): boolean {
  const { max_age: maxAge, prompt = '' } = parameters
  return maxAge !== undefined || prompt.split(' ').includes('login')
}

/** What went wrong on the way back to this page: one of a few words, with the name of a provider that there is. */
export async function upstreamProblemOf(
  ctx: Context,
  deps: PagesDeps,
): Promise<PageError | undefined> {
  const { problem, provider: id } = ctx.query
  const code = upstreamProblems.find((known) => known === problem)
  const provider = code && typeof id === 'string' ? await deps.providers.find(id) : undefined
  return code && provider ? { code, values: { provider: provider.name } } : undefined
}

/** The buttons: one for each provider, as a form that sends `provider` to `action`. */
export async function providerButtons(deps: PagesDeps, action: string) {
  const enabled = await deps.providers.enabled()
  if (enabled.length === 0) return {}
  const providers = enabled.map(({ id, name }) => ({ id, name }))
  return { upstream: { action, providers } }
}
