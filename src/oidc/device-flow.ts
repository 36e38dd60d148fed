/**
 * The device flow (RFC 8628). People type and confirm codes on pages of ours (pages/device.ts); from their yes on the
 * engine takes over, with the same sign-in, consent and grants as in any browser.
 */
import type { Context } from 'koa'
import {
  type Configuration,
  type ErrorOut,
  errors,
  type KoaContextWithOIDC,
  type Provider,
  type Session,
} from 'oidc-provider'
import { randomToken } from '../crypto.ts'
import type { DeviceAnswer, ProtocolPages } from './protocol-pages.ts'
import { replayForm } from './replayed-form.ts'

declare module 'koa' {
  interface DefaultState {
    /** What the engine compares with the form that it is handed. */
    deviceProof?: string
  }
}

/** RFC 8628 §3.2, in seconds. */
export const pollInterval = 5

/** What a device says of itself, kept with its code and shown to whoever confirms it. */
export type DeviceInfo = { address?: string; userAgent?: string; codeChallenge?: string }

export function deviceFlow(pages: ProtocolPages) {
  return {
    enabled: true,
    // Consonants alone, so that no code is a word: 20^8 of them.
    charset: 'base-20',
    mask: '****-****',
    deviceInfo,
    userCodeInputSource: (
      ctx: KoaContextWithOIDC,
      _form: string,
      out: ErrorOut = { error: 'invalid_request' },
      error = new Error('no code'),
    ) => pages.deviceRefused(ctx, out, error),
    // Ours has been shown; the engine's is asked for by nobody.
    userCodeConfirmSource: async () => {
      throw new Error('a code was not confirmed')
    },
    successSource: (ctx: KoaContextWithOIDC) => pages.deviceConnected(ctx),
  } satisfies NonNullable<Configuration['features']>['deviceFlow']
}

/** Throws `invalid_request` for a challenge that no verifier could meet (RFC 7636 §4.2; the engine drops it here). */
function deviceInfo(ctx: KoaContextWithOIDC): DeviceInfo {
  const { code_challenge: challenge, code_challenge_method: method } = (ctx.oidc.body ?? {}) as {
    code_challenge?: unknown
    code_challenge_method?: unknown
  }
  const { address } = ctx.state as { address?: string }
  const userAgent = ctx.get('user-agent').slice(0, 200)
  const info: DeviceInfo = {
    ...(address ? { address } : {}),
    ...(userAgent ? { userAgent } : {}),
  }
  if (challenge === undefined && method === undefined) return info
  if (method !== 'S256' || !/^[A-Za-z0-9_-]{43}$/.test(String(challenge))) {
    throw new errors.InvalidRequest('code_challenge must be made by S256')
  }
  return { ...info, codeChallenge: String(challenge) }
}

/**
 * The engine asks for a secret of the session in its own form. Our form carries our own proof and has been checked, so
 * for this one request the session holds what the engine compares; nobody without a session gets one for it.
 */
export function takeConfirmationsOfOurs(provider: Provider): void {
  const model = provider.Session as unknown as {
    get(ctx: KoaContextWithOIDC): Promise<Session & { state?: unknown }>
    prototype: { exp?: number; persist(): Promise<string> }
  }
  const { get } = model
  model.get = async function getSession(ctx) {
    const session = await get.call(model, ctx)
    const { deviceProof } = ctx.state as { deviceProof?: string }
    if (deviceProof !== undefined) session.state = { secret: deviceProof }
    return session
  }
  const { persist } = model.prototype
  model.prototype.persist = async function persistSaved(this: { exp?: number }) {
    return typeof this.exp === 'number' ? persist.call(this as never) : ''
  }
  provider.on('device_authorization.success', (_ctx, answer) => {
    Object.assign(answer, { interval: pollInterval })
  })
}

/** Another tab or another person has answered first. */
export class DecidedMeanwhile extends Error {
  override name = 'DecidedMeanwhile'
}

/** The person's answer as the engine reads it, in place of the form that was read already. */
export function handOver(ctx: Context, { userCode, allowed }: DeviceAnswer): void {
  const proof = randomToken()
  const form = new URLSearchParams({
    xsrf: proof,
    user_code: userCode,
    [allowed ? 'confirm' : 'abort']: 'yes',
  })
  ctx.state.deviceProof = proof
  replayForm(ctx, form)
}
