/**
 * The pages of one authorization request. Each is opened the same way: the flow is read, its owner checked, and
 * whoever asks for a page that is not this flow's next step is sent to the one that is. Pages finish their
 * part and return; none picks its successor.
 */
import type { Context, Middleware } from 'koa'
import type { Interaction } from 'oidc-provider'
import type { StoredClient } from '../clients/clients.ts'
import type { Factor } from '../credentials/step-up.ts'
import { AppError } from '../errors.ts'
import { localeOf } from '../http/locale.ts'
import { accountClientId } from '../oidc/account-client.ts'
import { cookieNames } from '../oidc/cookies.ts'
import { type Flow, type LostFlow, openFlow, saveProgress } from '../oidc/interactions.ts'
import { appOf, draw, type PagesDeps, seeOther } from './context.ts'
import { pathOf, type Step, stepOf, stepsOf } from './steps.ts'

/** Where the engine sends the browser for a prompt. */
export function firstPath({ uid, prompt, session }: Interaction): string {
  if (prompt.name === 'consent') return pathOf(uid, 'consent')
  if (prompt.name === 'access') return pathOf(uid, 'no-access')
  if (prompt.name === 'select_account') return pathOf(uid, 'select-account')
  const { factor } = prompt.details as { factor?: Factor | 'enrol' }
  const missing = prompt.reasons.length === 1 && session?.accountId !== undefined
  return pathOf(uid, missing && factor ? stepOf(factor) : 'sign-in')
}

type FlowPage = (ctx: Context, flow: Flow) => Promise<void> | void

/** A route's handler for one step of a flow. A POST must prove that it comes from a page of ours. */
export function flowPage(deps: PagesDeps, step: Step, page: FlowPage): Middleware {
  const names = cookieNames(deps.config.issuer)
  return async (ctx) => {
    const { flow: flowId } = (ctx as unknown as { params: { flow: string } }).params
    const cookie = ctx.cookies.get(names.interaction, { signed: false })
    await enterFlow(ctx, deps, { flowId, cookie, step }, page)
  }
}

/** `cookie` is what came in the flow's cookie, or the flow's id where the browser is known to be its own otherwise. */
export async function enterFlow(
  ctx: Context,
  deps: PagesDeps,
  { flowId, cookie, step }: { flowId: string; cookie: string | undefined; step: Step },
  page: FlowPage,
): Promise<void> {
  const names = cookieNames(deps.config.issuer)
  const open = () =>
    openFlow(deps.database.pool, {
      flowId,
      cookie,
      sessionId: ctx.cookies.get(names.session, { signed: false }),
      browsers: deps.csrf.browsers(ctx),
    })
  const opened = await open()
  if (!opened.ok) return drawLost(ctx, deps, opened)
  const { flow } = opened
  ctx.state.clientId = flow.clientId
  await chooseLocale(ctx, deps, flow)
  // After the flow: whoever lost its cookie lost the csrf cookie too, and is to be told how to go on.
  if (ctx.method === 'POST') await deps.csrf.require(ctx, async () => {})
  const steps = stepsOf(flow)
  if (!steps.includes(step)) return seeOther(ctx, pathOf(flow.id, steps[0] ?? 'sign-in'))
  try {
    await page(ctx, flow)
  } catch (error) {
    if (!isFinished(error)) throw error
    const now = await open()
    if (now.ok) throw error
    await drawLost(ctx, deps, now)
  }
}

/**
 * A language chosen at the foot of a page stays for the rest of the flow, above the app's `ui_locales`; then comes
 * the account's, then the browser's.
 */
async function chooseLocale(ctx: Context, deps: PagesDeps, flow: Flow): Promise<void> {
  const clicked = localeOf([ctx.query.ui_locales ?? []].flat()[0])
  if (clicked) {
    if (flow.progress.locale === clicked) return
    return saveProgress(deps.database.pool, flow, { locale: clicked })
  }
  const chosen =
    flow.progress.locale ??
    localeOf(flow.parameters.ui_locales) ??
    localeOf((flow.account?.locale as string | null | undefined) ?? undefined)
  ctx.state.locale = chosen ?? ctx.state.locale
}

/** Never a dead end: the same request can be begun again, towards the redirect URI it was checked for. */
export async function drawLost(ctx: Context, deps: PagesDeps, lost: LostFlow): Promise<void> {
  const { restart, reason } = lost
  const app = restart && (await appOf(deps.clients, restart.clientId, undefined))
  const client = restart && (await deps.clients.client(restart.clientId))
  const atApp = client !== undefined && !restart?.device && beginsAtApp(client)
  const href = atApp ? addressOf(client, deps.config.issuer, restart?.redirectUri) : restart?.href
  draw(
    ctx,
    deps,
    'resume',
    {
      reason,
      signInHref: '/sign-in',
      ...(app && restart ? { app, continueHref: href, device: restart.device, atApp } : {}),
    },
    reason === 'expired' ? 410 : 409,
  )
}

/** Only the app itself can make a request that is pushed or signed; and one that can be asked to begin is asked. */
function beginsAtApp({ metadata, profile }: StoredClient): boolean {
  return (
    metadata.initiate_login_uri !== undefined ||
    metadata.require_pushed_authorization_requests === true ||
    metadata.require_signed_request_object === true ||
    profile !== null
  )
}

/**
 * Where the app begins a sign-in for others (OpenID Connect Core §4), or its front page; undefined where only the person
 * knows how to come there, as with an app on a phone.
 */
function addressOf(
  { metadata }: StoredClient,
  issuer: string,
  redirectUri = '',
): string | undefined {
  if (metadata.initiate_login_uri) {
    const url = new URL(metadata.initiate_login_uri)
    url.searchParams.set('iss', issuer)
    return url.href
  }
  if (metadata.client_uri) return metadata.client_uri
  const url = URL.parse(redirectUri)
  return url && metadata.application_type === 'web' ? `${url.origin}/` : undefined
}

/** Undefined where the person came by our own door: no app waits for them. */
export async function appOfFlow(deps: PagesDeps, flow: Flow) {
  if (flow.clientId === accountClientId) return undefined
  return appOf(deps.clients, flow.clientId, flow.parameters.redirect_uri)
}

/** The flow ended between reading and writing: by another tab, or by a second click. */
export function assertFinished(finished: boolean): void {
  if (!finished) throw new AppError('flow_finished', 409)
}

function isFinished(error: unknown): boolean {
  return error instanceof AppError && error.code === 'flow_finished'
}

export function formOf(ctx: Context): Record<string, string> {
  return ctx.state.form ?? {}
}
