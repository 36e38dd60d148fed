/**
 * The one place that turns what was thrown into an answer. People get a page in their language, programs
 * `application/problem+json` (RFC 9457), clients at the OAuth endpoints the form of RFC 6749 §5.2. A fault of ours is
 * logged with its cause; whoever asked sees its request id alone (IN-09).
 */
import { STATUS_CODES } from 'node:http'
import type { Context, Middleware } from 'koa'
import { ZodError } from 'zod'
import { unavailability } from '../database/errors.ts'
import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { PageData } from '../views/page-data.ts'
import type { Views } from '../views.ts'
import { languageLinks } from './locale.ts'

type Options = { views: Views; logger: Logger }

/** Catches everything below it, and answers 404 where nobody did. Needs request-context.ts above it. */
export function answerFaults({ views, logger }: Options): Middleware {
  return async function answerFaults(ctx, next) {
    try {
      await next()
      if (ctx.respond !== false && ctx.status === 404 && ctx.body == null) {
        throw new AppError('not_found', 404)
      }
    } catch (thrown) {
      // The client went away in the middle of its body: nobody is left to answer.
      if (thrown !== undefined && thrown === ctx.req.errored) return
      const fault = toFault(thrown)
      log(ctx, logger, fault)
      // Half an answer cannot be taken back; cut short, it is at least not taken for a whole one.
      if (ctx.headerSent) ctx.res.destroy()
      else answer(ctx, views, fault)
    }
  }
}

/** Whatever was thrown, as the one class that has a code, a status and nothing secret. */
export function toFault(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  if (thrown instanceof ZodError) {
    const fields = thrown.issues.map((issue) => ({ field: issue.path.join('.'), code: issue.code }))
    return new AppError('invalid_request', 400, { cause: thrown, fields })
  }
  if (isUnreadableText(thrown)) return new AppError('invalid_request', 400, { cause: thrown })
  if (unavailability(thrown) !== undefined) {
    return new AppError('unavailable', 503, { cause: thrown, retryAfterSeconds: 5 })
  }
  const status = statusOf(thrown)
  if (status !== undefined)
    return new AppError(codes[status] ?? 'invalid_request', status, { cause: thrown })
  return new AppError('internal', 500, { cause: thrown })
}

const codes: Record<number, string> = {
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
}

/** Koa, its router and parsers throw errors with a status; only 4xx may be passed on. */
function statusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { status, expose } = thrown as { status?: unknown; expose?: unknown }
  const isClients = typeof status === 'number' && status >= 400 && status < 500
  return isClients && expose !== false && STATUS_CODES[status] ? status : undefined
}

/** PostgreSQL refused a value as such: NUL, a broken surrogate, text where a UUID belongs (IN-02). */
function isUnreadableText(thrown: unknown): boolean {
  const { code } = (thrown ?? {}) as { code?: unknown }
  return thrown instanceof Error && (code === '22021' || code === '22P02' || code === '22P05')
}

function log(ctx: Context, logger: Logger, fault: AppError): void {
  const { requestId } = ctx.state
  if (fault.status >= 500 && fault.cause !== undefined) {
    logger.error({ requestId, err: fault.cause, fault: fault.code }, 'request failed')
  } else if (fault.cause !== undefined) {
    logger.debug({ requestId, err: fault.cause, fault: fault.code }, 'request refused')
  }
}

function answer(ctx: Context, views: Views, fault: AppError): void {
  ctx.status = fault.status
  ctx.set('Cache-Control', 'no-store')
  if (fault.retryAfterSeconds !== undefined) {
    ctx.set('Retry-After', String(Math.ceil(fault.retryAfterSeconds)))
  }
  const form = formOf(ctx)
  if (form === 'problem') {
    ctx.body = problem(ctx, views, fault)
    ctx.type = 'application/problem+json'
  } else if (form === 'oauth') {
    ctx.body = {
      error: oauthCode(fault),
      error_description: fault.detail ?? phrase(views, fault, 'en'),
    }
    ctx.type = 'application/json'
  } else {
    ctx.body = page(ctx, views, fault)
    ctx.type = 'html'
  }
}

function formOf(ctx: Context): 'problem' | 'oauth' | 'page' {
  if (/^\/(api|access)(\/|$)/.test(ctx.path)) return 'problem'
  if (/^\/oauth2\/(?!(authorize|logout)(\/|$))/.test(ctx.path)) return 'oauth'
  const wanted = ctx.accepts('html', 'json', 'application/problem+json')
  return wanted === 'html' || wanted === false ? 'page' : 'problem'
}

function problem(ctx: Context, views: Views, fault: AppError): object {
  return {
    type: 'about:blank',
    title: STATUS_CODES[fault.status] ?? 'Error',
    status: fault.status,
    code: fault.code,
    detail: fault.detail ?? phrase(views, fault, ctx.state.locale),
    requestId: ctx.state.requestId,
    errors: fault.fields,
  }
}

/** The closest of the few codes that OAuth has. */
function oauthCode({ status }: AppError): string {
  if (status === 429 || status === 503) return 'temporarily_unavailable'
  return status >= 500 ? 'server_error' : 'invalid_request'
}

function phrase(views: Views, fault: AppError, locale: 'en' | 'zh-CN'): string {
  try {
    return views.t(locale, `errors.${fault.code}`)
  } catch {
    return STATUS_CODES[fault.status] ?? 'Error'
  }
}

function page(ctx: Context, views: Views, fault: AppError): string {
  const data: PageData['message'] = {
    kind: fault.code === 'address_blocked' ? 'blocked' : kindOf(fault.status),
    languageLinks: languageLinks(ctx),
    retryAfterSeconds: fault.retryAfterSeconds,
    reference:
      fault.status >= 500 || fault.code === 'address_blocked' ? ctx.state.requestId : undefined,
    backHref: backHref(ctx, fault.status),
  }
  return views.page('message', data, { locale: ctx.state.locale, nonce: ctx.state.nonce })
}

function kindOf(status: number): PageData['message']['kind'] {
  if (status === 403) return 'forbidden'
  if (status === 404 || status === 405 || status === 421) return 'not-found'
  if (status === 429) return 'too-many-requests'
  if (status === 503) return 'busy'
  return status >= 500 ? 'fault' : 'invalid'
}

/** Where the form stood, or the same page once more: always a path of ours (WB-10). */
function backHref(ctx: Context, status: number): string | undefined {
  if (status === 404 || status === 405 || status === 414 || status === 421) return undefined
  if (ctx.method !== 'POST') return status >= 429 ? ownPath(ctx.url) : undefined
  const { referer = '', host = '' } = ctx.req.headers
  const form = URL.canParse(referer) ? new URL(referer) : undefined
  return ownPath(form?.host === host ? form.pathname + form.search : ctx.url)
}

function ownPath(path: string): string {
  return path.replace(/^[/\\]+/, '/')
}
