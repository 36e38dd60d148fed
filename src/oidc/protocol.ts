/**
 * The door for apps: every request to the protocol's addresses runs in one unit of work, which is flushed
 * before the answer leaves. What the engine refused, 4xx included, is kept; a fault discards everything.
 */
import type { Context, Middleware, Next } from 'koa'
import type { ErrorOut, KoaContextWithOIDC, Provider } from 'oidc-provider'
import { parseDocumentUrl } from '../clients/document-client.ts'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import type { Queryable } from '../sessions/reads.ts'
import { beginChallenge, challengePath } from './authorization-challenge.ts'
import type { ClientCache } from './client-cache.ts'
import { cookieNames } from './cookies.ts'
import { DecidedMeanwhile, handOver } from './device-flow.ts'
import { advertise } from './discovery.ts'
import { createDocument, type Document, sendDocument } from './documents.ts'
import { learnHolder } from './dpop.ts'
import { refusalIn } from './error-references.ts'
import { runAfterFlush } from './events.ts'
import { offeredMembers } from './offers.ts'
import type { TokenReader } from './own-tokens.ts'
import { findPosted, keepPosted, postedParameter } from './posted-requests.ts'
import { pointToMetadata } from './protected-resources.ts'
import type { ProtocolPages } from './protocol-pages.ts'
import { withoutForeignResources } from './resources.ts'
import { settledId } from './session-adapter.ts'
import { completeChallenge } from './step-up.ts'
import {
  type Browser,
  createUnitOfWork,
  flushUnitOfWork,
  type Lost,
  runInUnitOfWork,
  type UnitOfWork,
} from './unit-of-work.ts'

/** One engine with its keys; replaced as a whole when keys change. */
export type Engine = {
  provider: Provider
  keySet: Document
  /** Filled by the first request for it, and anew when other things are offered. */
  discovery?: { offered: string; document: Document }
  introspectStructured(ctx: KoaContextWithOIDC): Promise<void>
  tokens: TokenReader
}

export type ProtocolOptions = {
  config: Pick<Config, 'issuer' | 'jwksMaxAgeSeconds' | 'tls' | 'mtlsOrigin' | 'clientCertHeader'>
  pool: Queryable
  clients: ClientCache
  engine(): Engine
  pages: ProtocolPages
  /** Keeps why a request was refused and gives its reference; undefined when it is not kept. */
  keepRefusal(ctx: KoaContextWithOIDC, out: ErrorOut): Promise<string | undefined>
  /** Counts a request pushed by a client that did not prove who it is. Throws 429 `too_many_requests`. */
  limitPublicPush(ctx: Context): Promise<void>
  /** A lost race ended this grant. */
  onLostRace(ctx: KoaContextWithOIDC, grantId: string): Promise<void>
  /** The fields of a urlencoded body, with the limits of our forms. */
  readForm(ctx: Context): Promise<[string, string][]>
  browserOf(ctx: Context): Browser
}

const discoveryPaths = new Set([
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
])
// The engine's router would also take capitals and a slash at the end, past what is decided by the path here.
const ours = /^\/oauth2\/[a-z-]+(\/[\w-]+)?$/
/** Where the person comes back from signing in for a device. */
const deviceResume = /^\/device\/[\w-]{20,64}$/
const postable = new Set(['/oauth2/authorize', '/oauth2/logout'])
/** Whatever a replay of one of these has issued ends (RFC 6749 §4.1.2). */
const replayable = new Set<Lost>([
  'authorization_codes',
  'refresh_tokens',
  'device_codes',
  'backchannel_authentication_requests',
])
const discoveryMaxAgeSeconds = 300

export function createProtocol(options: ProtocolOptions): Middleware {
  const names = cookieNames(options.config.issuer)

  return async function protocol(ctx: Context, next: Next) {
    const { path, method } = ctx
    if (discoveryPaths.has(path) && isRead(method)) return discovery(ctx)
    if (path === '/device') return device(ctx, next)
    if (deviceResume.test(path) && isRead(method)) return inUnitOfWork(ctx, next)
    if (!ours.test(path) && !discoveryPaths.has(path)) return next()
    if (path === '/oauth2/jwks' && isRead(method)) return sendDocument(ctx, options.engine().keySet)
    if (postable.has(path)) {
      if (method === 'POST') return toGet(ctx)
      if (ctx.query[postedParameter] !== undefined) await expandPosted(ctx)
    }
    if (path === challengePath) return challenge(ctx, next)
    if (path === '/oauth2/authorize') await leaveOutForeignResources(ctx)
    await inUnitOfWork(ctx, next)
  }

  async function leaveOutForeignResources(ctx: Context): Promise<void> {
    const { resource, client_id: clientId } = ctx.query
    if (resource === undefined || typeof clientId !== 'string') return
    // No document asks for that, and outside the engine nobody knows who makes us fetch one.
    if (parseDocumentUrl(clientId)) return
    const own = withoutForeignResources(await options.clients.client(clientId), resource)
    if (!own) return
    const query = new URLSearchParams(ctx.querystring)
    query.delete('resource')
    for (const identifier of own) query.append('resource', identifier)
    ctx.querystring = query.toString()
  }

  async function discovery(ctx: Context): Promise<void> {
    const engine = options.engine()
    const offered = offeredMembers(await options.clients.offers(), options.config.issuer)
    const key = JSON.stringify(offered)
    if (engine.discovery?.offered !== key) {
      await dispatch(engine.provider, ctx)
      const promised = advertise(ctx.body as Record<string, unknown>, options.config)
      const document = createDocument({ ...promised, ...offered }, discoveryMaxAgeSeconds)
      engine.discovery = { offered: key, document }
    }
    sendDocument(ctx, engine.discovery.document)
  }

  /** The engine's `/device` begins where a person has said yes or no on ours. */
  async function device(ctx: Context, next: Next): Promise<void> {
    const answer = await options.pages.device(ctx)
    if (!answer) return
    handOver(ctx, answer)
    await inUnitOfWork(ctx, next, answer.clientId)
  }

  /** The engine's token endpoint answers, since it is the one that knows who the client is. */
  async function challenge(ctx: Context, next: Next): Promise<void> {
    if (ctx.method === 'POST') beginChallenge(ctx, await options.readForm(ctx))
    ctx.path = '/oauth2/token'
    try {
      await inUnitOfWork(ctx, next)
    } finally {
      ctx.path = challengePath
    }
    const { authSession } = ctx.state
    if (authSession) ctx.body = { ...(ctx.body as object), auth_session: authSession }
  }

  async function toGet(ctx: Context): Promise<void> {
    const reference = await keepPosted(options.pool, ctx.path, await options.readForm(ctx))
    ctx.status = 303
    ctx.redirect(`${ctx.path}?${postedParameter}=${reference}`)
  }

  async function expandPosted(ctx: Context): Promise<void> {
    const reference = String(ctx.query[postedParameter])
    const parameters = await findPosted(options.pool, ctx.path, reference)
    if (!parameters) throw new AppError('request_expired', 400)
    ctx.querystring = new URLSearchParams(parameters).toString()
  }

  async function inUnitOfWork(ctx: Context, next: Next, clientId?: string): Promise<void> {
    const engine = options.engine()
    // The pages of the device flow have a name of their own, since `/oauth2/device` is its endpoint for apps.
    const endpoint = ctx.path.startsWith('/oauth2/') ? ctx.path.slice('/oauth2/'.length) : 'person'
    const known = { ...presented(ctx), ...(clientId ? { clientId } : {}) }
    const unit = createUnitOfWork(endpoint, known, options.browserOf(ctx))
    await runInUnitOfWork(unit, async () => {
      if (endpoint === 'userinfo') await learnHolder(ctx, engine.provider)
      await dispatch(engine.provider, ctx, next)
      const oidcCtx = ctx as unknown as KoaContextWithOIDC
      await engine.introspectStructured(oidcCtx)
      if (unit.endpoint === 'userinfo') {
        echoInteraction(ctx)
        completeChallenge(ctx)
        pointToMetadata(ctx, options.config.issuer)
      }
      await tellReference(ctx)
      // The engine answers faults in its own words; http/faults.ts logs the cause and answers in ours.
      if (ctx.status >= 500) throw faultOf(takeBack(ctx))
      if (unit.endpoint === 'par' && oidcCtx.oidc.client?.clientAuthMethod === 'none') {
        await options.limitPublicPush(ctx)
      }
      try {
        const { lost, session } = await flushUnitOfWork(options.pool, unit)
        if (lost) return await answerLost(oidcCtx, unit, lost)
        const settled = settledId(unit, session)
        if (settled) settleCookie(ctx, names.session, settled)
        await runAfterFlush(ctx)
      } catch (error) {
        takeBack(ctx)
        throw error
      }
      widenFlowCookie(ctx, names.interaction)
    })
  }

  async function tellReference(ctx: Context): Promise<void> {
    const refusal = refusalIn(ctx)
    if (!refusal) return
    const oidcCtx = ctx as unknown as KoaContextWithOIDC
    const reference = await options.keepRefusal(oidcCtx, refusal.out)
    if (reference) await refusal.tell(`${options.config.issuer}/errors/${reference}`)
  }

  function presented(ctx: Context) {
    const sessionId = ctx.cookies.get(names.session, { signed: false })
    const interactionId = /^\/(oauth2\/authorize|device)\//.test(ctx.path)
      ? ctx.cookies.get(names.resume, { signed: false })
      : undefined
    const clientId = ctx.query.client_id
    return {
      ...(sessionId ? { sessionId } : {}),
      ...(interactionId ? { interactionId } : {}),
      ...(typeof clientId === 'string' ? { clientId } : {}),
    }
  }

  /** Somebody was faster: the answer that the engine prepared is replaced, and nothing of it was written. */
  async function answerLost(
    ctx: KoaContextWithOIDC,
    { endpoint, boundTo }: UnitOfWork,
    lost: Lost,
  ): Promise<void> {
    const grantId = boundTo?.grantId
    takeBack(ctx)
    if (lost === 'interactions') return options.pages.renderAlreadyDone(ctx)
    if (lost === 'device_codes' && endpoint === 'person') {
      const error = new DecidedMeanwhile('somebody was faster')
      return options.pages.deviceRefused(ctx, { error: 'invalid_grant' }, error)
    }
    if (lost === 'pushed_authorization_requests') {
      const out = {
        error: 'invalid_request_uri',
        error_description: 'request_uri was already used',
      }
      ctx.status = 400
      return options.pages.renderError(ctx, out, new Error(out.error))
    }
    if (grantId && replayable.has(lost)) {
      await options.pool.query({ text: 'delete from grants where id = $1', values: [grantId] })
      await options.onLostRace(ctx, grantId)
    }
    ctx.status = 400
    ctx.body = { error: 'invalid_grant', error_description: 'grant request is invalid' }
  }
}

/** The engine's middleware on our context, so that faults, logs and headers stay ours. */
async function dispatch(provider: Provider, ctx: Context, next?: Next): Promise<void> {
  let run = composed.get(provider)
  if (!run) {
    run = (provider as unknown as Composer).compose(provider.middleware)
    composed.set(provider, run)
  }
  await run(ctx as Parameters<Middleware>[0], next ?? (async () => {}))
}
/** Koa's own, which its types leave out. */
type Composer = { compose(middleware: unknown): Middleware }

const composed = new WeakMap<Provider, Middleware>()

/** So that both sides find the same request in their logs; FAPI asks it of every protected resource. */
function echoInteraction(ctx: Context): void {
  const id = ctx.get('x-fapi-interaction-id')
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) ctx.set('x-fapi-interaction-id', id)
}

const isRead = (method: string) => method === 'GET' || method === 'HEAD'

/** What was not written must not be handed out: neither a code nor the id of a session that is nowhere. */
function takeBack<T extends Pick<Context, 'remove'>>(ctx: T): T {
  ctx.remove('Set-Cookie')
  ctx.remove('Location')
  return ctx
}

function faultOf(ctx: Context): unknown {
  return ctx.state.fault ?? new AppError('internal', 500)
}

/** The flow's cookie is for all pages of the flow, whichever of them comes first. */
function widenFlowCookie(ctx: Context, name: string): void {
  const header = ctx.res.getHeader('Set-Cookie')
  if (!Array.isArray(header)) return
  const widened = header.map((cookie) =>
    cookie.startsWith(`${name}=`)
      ? cookie.replace(/(path=\/sign-in\/[^/;]+)\/[^;]*/i, '$1')
      : cookie,
  )
  ctx.res.setHeader('Set-Cookie', widened)
}

function settleCookie(
  ctx: Context,
  name: string,
  { set, settled }: { set: string; settled: string | null },
): void {
  const header = ctx.res.getHeader('Set-Cookie')
  const cookies = Array.isArray(header) ? header : header === undefined ? [] : [String(header)]
  const prefix = `${name}=${set}`
  const kept = cookies
    .filter((cookie) => settled !== null || !cookie.startsWith(prefix))
    .map((cookie) =>
      cookie.startsWith(prefix) ? `${name}=${settled}${cookie.slice(prefix.length)}` : cookie,
    )
  if (kept.length === 0) ctx.remove('Set-Cookie')
  else ctx.res.setHeader('Set-Cookie', kept)
}
