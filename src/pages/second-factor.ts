/**
 * The second step of signing in by a code: of an authenticator app, by mail, or one of the recovery codes. Each page is
 * open to whoever has proven the first factor in this flow, or is signed in and asked for more (steps.ts).
 */
import type { Context } from 'koa'
import { maskEmail } from '../accounts/email.ts'
import { record } from '../audit/audit.ts'
import { spendTotp } from '../credentials/authenticators.ts'
import { readCode } from '../credentials/mailed-secrets.ts'
import { readRecoveryCode, spendRecoveryCode } from '../credentials/recovery-codes.ts'
import { rememberDevice } from '../credentials/remembered-devices.ts'
import { askForSignInCode, spendSignInCode } from '../credentials/sign-in-codes.ts'
import { type Factor, type FirstFactor, isFirstFactor } from '../credentials/step-up.ts'
import { sha256 } from '../crypto.ts'
import { AppError } from '../errors.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import { countCodeGuess } from '../http/second-factor-limits.ts'
import { countGuess, type Flow } from '../oidc/interactions.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, formOf } from './flow.ts'
import { proveSecond, readHalfWay } from './next-step.ts'
import { pathOf, type SecondStep, secondSteps, stepOf } from './steps.ts'

type CodeFactor = Exclude<Factor, FirstFactor | 'passkey'>
type HalfWay = NonNullable<Awaited<ReturnType<typeof readHalfWay>>>
type Given = { error?: PageError; resent?: boolean; waitSeconds?: number }

/** What each is known by in a session (RFC 8176). */
const amr = ['otp']

export function secondFactorPages(deps: PagesDeps) {
  const { db } = deps.database
  const codeDeps = { db, keyring: deps.keyring }
  return { show, submit }

  /** The state of whoever may prove this factor now; otherwise they are sent to where they may go on. */
  async function enter(ctx: Context, flow: Flow, factor: CodeFactor): Promise<HalfWay | undefined> {
    const state = await readHalfWay(deps, flow)
    if (state?.available.includes(factor)) return state
    const next = state?.half.next
    // Nobody is sent in circles: what is not there any more is asked for from the beginning.
    const elsewhere = next && next !== factor ? stepOf(next) : 'sign-in'
    seeOther(ctx, pathOf(flow.id, elsewhere))
    return undefined
  }

  async function show(ctx: Context, flow: Flow, factor: CodeFactor): Promise<void> {
    const state = await enter(ctx, flow, factor)
    if (state) await drawCode(ctx, flow, factor, state, {})
  }

  async function submit(ctx: Context, flow: Flow, factor: CodeFactor): Promise<void> {
    const state = await enter(ctx, flow, factor)
    if (!state) return
    const { code = '', action, remember } = formOf(ctx)
    if (factor === 'mail-code' && action === 'resend') return sendCode(ctx, flow, state)
    const { half, account, policy } = state
    const refusal = await refusalOf(ctx, flow, factor, state, code)
    if (refusal === 'over') return seeOther(ctx, pathOf(flow.id, 'sign-in'))
    if (refusal) {
      if (refusal.retryAfterSeconds) ctx.set('Retry-After', String(refusal.retryAfterSeconds))
      return drawCode(
        ctx,
        flow,
        factor,
        state,
        { error: refusal },
        refusal.retryAfterSeconds ? 429 : 422,
      )
    }
    await proveSecond(ctx, deps, flow, account, { proven: amr, half })
    const days = policy.rememberDays
    if (remember === undefined || days === 0 || factor === 'recovery-code') return
    const device = { accountId: account.id, factor, days }
    deps.rememberedCookie.add(ctx, await rememberDevice(db, device, ctx.state.origin), days)
  }

  /** Undefined for a right code, which is used up by that; `over` when there were too many wrong ones. */
  async function refusalOf(
    ctx: Context,
    flow: Flow,
    factor: CodeFactor,
    { account }: HalfWay,
    typed: string,
  ): Promise<PageError | 'over' | undefined> {
    const read = factor === 'recovery-code' ? readRecoveryCode : readCode
    const format = factor === 'recovery-code' ? 'recovery_code_invalid' : 'second_code_invalid'
    if (read(typed) === undefined) return { code: format }
    if (!(await countGuess(deps.database.pool, flow))) return 'over'
    try {
      const right = await isRight(ctx, flow, factor, account, typed)
      if (right) return undefined
    } catch (error) {
      const blocked = error instanceof AppError && error.code === 'address_blocked'
      if (!blocked && error instanceof AppError && error.status === 429) return error
      throw error
    }
    deps.onSignIn('wrong_code')
    await record(db, {
      type: 'second_factor.refused',
      accountId: account.id,
      clientId: flow.clientId,
      origin: ctx.state.origin,
      detail: { factor },
    })
    return { code: factor === 'recovery-code' ? 'recovery_code_wrong' : 'second_code_wrong' }
  }

  async function isRight(
    ctx: Context,
    flow: Flow,
    factor: CodeFactor,
    account: HalfWay['account'],
    typed: string,
  ): Promise<boolean> {
    const { address, origin } = ctx.state
    const knownDevice = deps.knownDevices.find(ctx, account)
    // Who is signed in and proves more is no stranger.
    if (knownDevice === undefined && flow.account?.id !== account.id) deps.blocked.refuse(address)
    if (factor === 'recovery-code') {
      await deps.limits.consume('recovery-code-address', limitKeyAddress(address))
      return spendRecoveryCode(codeDeps, account.id, typed, origin)
    }
    const guess = await countCodeGuess(deps.limits, {
      accountId: account.id,
      address,
      knownDevice,
    })
    const place = { flowHash: sha256(flow.id), accountId: account.id }
    const right =
      factor === 'totp'
        ? await spendTotp(codeDeps, account.id, typed)
        : await spendSignInCode(codeDeps, place, typed)
    if (right) await guess.succeed()
    return right
  }

  async function sendCode(ctx: Context, flow: Flow, state: HalfWay): Promise<void> {
    await deps.limits.consume('resend-address', limitKeyAddress(ctx.state.address))
    const place = { flowHash: sha256(flow.id), accountId: state.account.id }
    const asked = await askForSignInCode(codeDeps, place, ctx.state.origin)
    const waitSeconds = asked?.waitSeconds ?? 0
    await drawCode(ctx, flow, 'mail-code', state, {
      waitSeconds,
      ...(asked?.sent
        ? { resent: true }
        : { error: { code: 'resend_too_soon', retryAfterSeconds: Math.max(1, waitSeconds) } }),
    })
  }

  async function drawCode(
    ctx: Context,
    flow: Flow,
    factor: CodeFactor,
    { account, available, policy }: HalfWay,
    given: Given,
    status = 200,
  ): Promise<void> {
    const others = available.filter((other) => other !== factor && !isFirstFactor(other))
    draw(
      ctx,
      deps,
      'second-factor',
      {
        ...given,
        action: pathOf(flow.id, secondSteps[factor]),
        app: await appOfFlow(deps, flow),
        factor,
        username: account.username,
        maskedEmail: factor === 'mail-code' && account.email ? maskEmail(account.email) : undefined,
        rememberDays: factor === 'recovery-code' ? 0 : policy.rememberDays,
        others: others.map((other) => ({
          factor: other as Exclude<Factor, FirstFactor>,
          href: pathOf(flow.id, secondSteps[other as keyof typeof secondSteps]),
        })),
        switchHref: pathOf(flow.id, 'sign-in'),
      },
      status,
    )
  }
}

/** The pages of this file, by their step. */
export const codeSteps = (Object.entries(secondSteps) as [Factor, SecondStep][]).filter(
  (entry): entry is [CodeFactor, SecondStep] => entry[0] !== 'passkey',
)
