/**
 * Connecting a device (RFC 8628): a person types the code that stands on it, is told in words who asks and from where,
 * and says yes or no. The link with the code in it only fills the form in (§5.4); guesses are counted (§5.1).
 */
import type { Context } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import { AppError } from '../errors.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { readForm } from '../http/form-body.ts'
import { cookieNames } from '../oidc/cookies.ts'
import type { DeviceInfo } from '../oidc/device-flow.ts'
import type { DeviceAnswer } from '../oidc/protocol-pages.ts'
import { parameterOf } from '../oidc/refusals.ts'
import type { Row } from '../sessions/artefacts.ts'
import { read } from '../sessions/reads.ts'
import type { PageError } from '../views/page-data.ts'
import { appOf, draw, type PagesDeps } from './context.ts'
import { qrOf } from './qr.ts'

/** Consonants, however they are written and spaced; nothing that only looks like one (DF-02). */
export function readUserCode(typed: string): string | undefined {
  const code = typed.replace(/[\s\-‐–—]/g, '').toUpperCase()
  return /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/.test(code) ? code : undefined
}

const spaced = (code: string) => `${code.slice(0, 4)}-${code.slice(4)}`

type Problem = { code: string; status: number }

const problems = {
  wrong: { code: 'user_code_wrong', status: 422 },
  expired: { code: 'user_code_expired', status: 410 },
  used: { code: 'user_code_used', status: 409 },
} as const satisfies Record<string, Problem>

export function devicePages(deps: PagesDeps) {
  const { issuer } = deps.config
  const names = cookieNames(issuer)
  return { device, deviceRefused, deviceConnected, showQr }

  async function device(ctx: Context): Promise<DeviceAnswer | undefined> {
    if (ctx.method === 'GET' || ctx.method === 'HEAD') {
      const { user_code: given } = ctx.query
      drawForm(ctx, typeof given === 'string' ? given.slice(0, 40) : '')
      return undefined
    }
    if (ctx.method !== 'POST') throw new AppError('method_not_allowed', 405)
    ctx.state.form = await readForm(ctx)
    await deps.csrf.require(ctx, async () => {})
    const { user_code: typed = '', decision } = ctx.state.form
    try {
      return await answer(ctx, typed.slice(0, 40), decision)
    } catch (error) {
      if (!(error instanceof AppError) || error.status !== 429) throw error
      if (error.code === 'address_blocked') throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      drawForm(ctx, typed.slice(0, 40), error, 429)
      return undefined
    }
  }

  async function answer(
    ctx: Context,
    typed: string,
    decision: string | undefined,
  ): Promise<DeviceAnswer | undefined> {
    const person = await signedIn(ctx)
    const found = await lookUp(ctx, typed, person)
    if ('code' in found) {
      drawForm(ctx, typed, found, found.status)
      return undefined
    }
    const { userCode, row } = found
    const clientId = String(row.client_id)
    if (decision === 'allow' || decision === 'deny') {
      return { userCode, clientId, allowed: decision === 'allow' }
    }
    const app = await appOf(deps.clients, clientId, undefined)
    const { address, userAgent } = ((row.rest as { deviceInfo?: DeviceInfo }).deviceInfo ??
      {}) as DeviceInfo
    draw(ctx, deps, 'device-confirm', {
      action: '/device',
      app: app ?? { name: clientId },
      userCode: spaced(userCode),
      address,
      program: programOf(userAgent),
      username: person && String(person.username),
    })
    return undefined
  }

  /** Counted before it is looked for and given back when it was right, so that a burst gets no more guesses. */
  async function lookUp(
    ctx: Context,
    typed: string,
    person: Row | undefined,
  ): Promise<{ userCode: string; row: Row } | Problem> {
    if (!person) deps.blocked.refuse(ctx.state.address)
    const counted = [
      ['user-code-address', limitKeyAddress(ctx.state.address)],
      // Strangers share one count, and can use up nobody's but their own.
      person ? (['user-code-account', String(person.id)] as const) : (['user-code-all'] as const),
    ] as const
    for (const [name, ...key] of counted) {
      await deps.limits.consume(name, ...key).catch((error: unknown) => {
        throw name === 'user-code-all' ? askToSignIn(error) : error
      })
    }
    const userCode = readUserCode(typed)
    const row = userCode && (await read(deps.database.pool, 'deviceCode', [sha256(userCode)])).token
    if (!userCode || !row) {
      await deps.blocked.wrongCode(ctx.state.address)
      return problems.wrong
    }
    for (const [name, ...key] of counted) await deps.limits.refund(name, ...key)
    if ((row.expires_at as Date) <= new Date()) return problems.expired
    const { error } = row.rest as { error?: string }
    const elsewhere = row.browser !== null && !deps.csrf.browsers(ctx).includes(String(row.browser))
    if (row.grant_id !== null || row.consumed_at !== null || error !== undefined || elsewhere) {
      return problems.used
    }
    const client = await deps.clients.client(String(row.client_id))
    return client ? { userCode, row } : problems.expired
  }

  async function signedIn(ctx: Context): Promise<Row | undefined> {
    const sessionId = ctx.cookies.get(names.session, { signed: false })
    if (!sessionId) return undefined
    return (await read(deps.database.pool, 'request', [sha256(sessionId), null, null])).account
  }

  function drawForm(ctx: Context, typed: string, error?: PageError, status = 200): void {
    const userCode = readUserCode(typed)
    draw(
      ctx,
      deps,
      'device',
      {
        action: '/device',
        userCode: userCode ? spaced(userCode) : typed,
        filled: userCode !== undefined && ctx.method !== 'POST',
        ...(error ? { error } : {}),
        ...(userCode && !error ? { qr: qrOf(addressOf(userCode)) } : {}),
      },
      status,
    )
  }

  /** For device makers: the picture of the address that fills the code in, and of no other. */
  async function showQr(ctx: Context): Promise<void> {
    const { user_code: given } = ctx.query
    const userCode = readUserCode(typeof given === 'string' ? given.slice(0, 40) : '')
    if (!userCode) throw new AppError('not_found', 404)
    const { size, path } = qrOf(addressOf(userCode))
    ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
    ctx.type = 'image/svg+xml'
    ctx.body = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path d="${path}"/></svg>`
  }

  function addressOf(userCode: string): string {
    return `${issuer}/device?user_code=${spaced(userCode)}`
  }

  async function deviceRefused(
    ctx: KoaContextWithOIDC,
    { name }: Error,
    otherwise: () => Promise<void>,
  ): Promise<void> {
    const context = ctx as unknown as Context
    if (name === 'AbortedError') {
      audit(ctx, 'device.refused')
      return draw(context, deps, 'device-done', { state: 'refused', app: await appOfDevice(ctx) })
    }
    const problem =
      name === 'ExpiredError'
        ? problems.expired
        : name === 'NotFoundError' || name === 'NoCodeError'
          ? problems.wrong
          : name === 'AlreadyUsedError' || name === 'DecidedMeanwhile'
            ? problems.used
            : undefined
    if (!problem) return otherwise()
    drawForm(context, '', problem, problem.status)
  }

  async function deviceConnected(ctx: KoaContextWithOIDC): Promise<void> {
    audit(ctx, 'device.connected')
    const app = await appOfDevice(ctx)
    draw(ctx as unknown as Context, deps, 'device-done', { state: 'connected', app })
  }

  async function appOfDevice(ctx: KoaContextWithOIDC) {
    const clientId = clientOf(ctx)
    return clientId ? appOf(deps.clients, clientId, undefined) : undefined
  }

  /** Kept with the decision, and not when somebody was faster. */
  function audit(ctx: KoaContextWithOIDC, type: string): void {
    const { session } = ctx.oidc
    const context = ctx as unknown as Context
    const accountId = session?.accountId
    context.state.afterFlush ??= []
    context.state.afterFlush.push(() =>
      record(deps.database.db, {
        type,
        ...(accountId ? { actor: { kind: 'person', id: accountId }, accountId } : {}),
        clientId: clientOf(ctx),
        origin: context.state.origin,
      }),
    )
  }
}

/** Signed in they are counted by themselves. */
function askToSignIn(error: unknown): unknown {
  if (!(error instanceof AppError) || error.status !== 429) return error
  const { retryAfterSeconds = 1 } = error
  return new AppError('user_code_sign_in', 429, { retryAfterSeconds })
}

/** Whoever said no on the consent page comes back before the code has been looked at. */
function clientOf(ctx: KoaContextWithOIDC): string | undefined {
  return ctx.oidc.entities.DeviceCode?.clientId ?? parameterOf(ctx, 'client_id')
}

/** The first word of a `User-Agent` that says more than that there is one. */
function programOf(userAgent: string | undefined): string | undefined {
  const words = (userAgent ?? '').replace(/[^\x20-\x7e]/g, '').split(' ')
  return words.find((word) => word !== '' && !word.startsWith('Mozilla/'))?.slice(0, 40)
}
