/**
 * The dispatcher: every page that has proven something returns here. What comes next is decided by what the app asks,
 * what the operator asks and what the person has, and written into the flow's row; only the end of it is told to the
 * engine, so that half a session is none (security MF-05).
 */
import type { Context } from 'koa'
import { type Account, findAccount } from '../accounts/accounts.ts'
import { cancelDeletion } from '../accounts/leaving.ts'
import { tellOfNewDevice } from '../accounts/notices.ts'
import { record } from '../audit/audit.ts'
import { findRemembered } from '../credentials/remembered-devices.ts'
import {
  type Step as Decision,
  nextStep,
  type SignInPolicy,
} from '../credentials/sign-in-policy.ts'
import { type Factor, proofOf } from '../credentials/step-up.ts'
import {
  type Flow,
  finishSignIn,
  type Proven,
  saveProgress,
  saveProven,
} from '../oidc/interactions.ts'
import { askedIn } from '../oidc/step-up.ts'
import { type PagesDeps, seeOther } from './context.ts'
import { assertFinished } from './flow.ts'
import { isAble, isOffered } from './passkey-offer.ts'
import { type HalfWay, halfWayOf, pathOf, stepOf } from './steps.ts'

/** Whose proof it is; the time makes every device a stranger after a new password. */
export type Prover = Pick<Account, 'id' | 'passwordChangedAt'> &
  Partial<Pick<Account, 'deletionDueAt'>>

/**
 * A first factor was proven, or one that is enough by itself: `proven` in values of RFC 8176. What the same person has
 * proven in this flow before counts beside it.
 */
export async function proveFirst(
  ctx: Context,
  deps: PagesDeps,
  flow: Flow,
  account: Prover,
  proven: string[],
  /** Where an upstream has proven it. */
  upstream?: string,
): Promise<void> {
  const before = halfWayOf(flow)
  // A password begins anew; only what adds to one builds on what was there.
  const same = before?.accountId === account.id && !proven.includes('pwd') ? before : undefined
  await goOn(ctx, deps, flow, account, { proven, half: same, upstream })
}

/** A second factor of whoever is half way in. `then` answers in place of the way back to the engine. */
export function proveSecond(
  ctx: Context,
  deps: PagesDeps,
  flow: Flow,
  account: Prover,
  given: { proven: string[]; half: HalfWay; then?: () => void },
): Promise<void> {
  return goOn(ctx, deps, flow, account, given)
}

/** Who is half way in, with what they could go on with; undefined when they are not, or not any more. */
export async function readHalfWay(
  deps: PagesDeps,
  flow: Flow,
): Promise<
  { half: HalfWay; account: Account; available: Factor[]; policy: SignInPolicy } | undefined
> {
  const half = halfWayOf(flow)
  const account = half && (await findAccount(deps.database.db, half.accountId))
  if (!half || account?.status !== 'active') return undefined
  const available = await deps.policies.factorsOf(account.id, flow.clientId)
  return { half, account, available, policy: await deps.policies.at(flow.clientId) }
}

async function goOn(
  ctx: Context,
  deps: PagesDeps,
  flow: Flow,
  account: Prover,
  given: {
    proven: string[]
    half: HalfWay | undefined
    upstream?: string | undefined
    then?: () => void
  },
): Promise<void> {
  const { half } = given
  const { acr, amr } = proofOf(given.proven, half?.amr)
  const after = half?.proven
  const upstream = given.upstream ?? after?.upstream
  const decision = await decide(ctx, deps, flow, account, amr)
  if (decision.kind === 'ask' || decision.kind === 'enrol') {
    const next = decision.kind === 'ask' ? decision.factor : 'enrol'
    const since = (after ? after.since : account.passwordChangedAt?.toISOString()) ?? null
    const able = (after?.able ?? isAble(ctx)) ? { able: true as const } : {}
    const more = { ...able, ...(upstream ? { upstream } : {}) }
    const stored: Proven = { accountId: account.id, amr, at: Date.now(), since, next, ...more }
    assertFinished(await saveProven(deps.database.pool, flow, stored, after))
    return seeOther(ctx, pathOf(flow.id, stepOf(next)))
  }
  // What cannot be reached is told to the app by the engine, which finds it out in the same way.
  const login = { accountId: account.id, acr, amr, ...(upstream ? { upstream } : {}) }
  const at = half?.signedInAt
  // As it was when the password was proven, which may be a step ago: a new one ends what was begun with the old.
  const passwordChangedAt = after ? toDate(after.since) : account.passwordChangedAt
  const guards = { after, at, passwordChangedAt }
  if (!(await finishSignIn(deps.database.pool, flow, login, guards))) {
    return explainLost(ctx, deps, flow, account.id, passwordChangedAt)
  }
  // Whoever signs in has thought better of leaving.
  if (account.deletionDueAt !== null) {
    await cancelDeletion(deps.database.db, account.id, ctx.state.origin)
  }
  if (deps.knownDevices.find(ctx, account) === undefined) {
    await tellOfNewDevice(deps.database.db, account.id, ctx.state.origin)
  }
  await record(deps.database.db, {
    type: 'sign_in.succeeded',
    actor: { kind: 'person', id: account.id },
    accountId: account.id,
    clientId: flow.clientId,
    origin: ctx.state.origin,
    detail: { amr },
  })
  const able = after?.able ?? isAble(ctx)
  const offered = await isOffered(ctx, deps, account, { amr, able })
  deps.knownDevices.remember(ctx, account)
  deps.onSignIn('success')
  if (given.then) return given.then()
  // Proven elsewhere before, and now here: both sides of a link.
  if (flow.progress.upstream && !upstream) return seeOther(ctx, pathOf(flow.id, 'link-provider'))
  seeOther(ctx, offered ? pathOf(flow.id, 'add-passkey') : flow.returnTo)
}

/** The password was set anew meanwhile, and the page of signing in says so; or the flow is over, as its page will say. */
async function explainLost(
  ctx: Context,
  deps: PagesDeps,
  flow: Flow,
  accountId: string,
  since: Date | null,
): Promise<void> {
  const now = await findAccount(deps.database.db, accountId)
  assertFinished(now?.passwordChangedAt?.getTime() !== since?.getTime())
  deps.onSignIn('wrong_credentials')
  await saveProgress(deps.database.pool, flow, { word: 'password-changed' })
  seeOther(ctx, pathOf(flow.id, 'sign-in'))
}

/** Whoever is here is to prove anew who they are, all of it. */
export function asksAnew({ prompt }: Pick<Flow, 'prompt'>): boolean {
  return prompt.reasons.some((reason) => ['max_age', 'login_prompt'].includes(reason))
}

async function decide(
  ctx: Context,
  deps: PagesDeps,
  flow: Flow,
  account: Prover,
  amr: readonly string[],
): Promise<Decision> {
  const { claims, acr_values } = flow.parameters
  // Nothing that is remembered stands for a part of a proof anew.
  const tokens = asksAnew(flow) ? [] : deps.rememberedCookie.read(ctx)
  return nextStep({
    asked: askedIn({ claims, acr_values }),
    amr,
    available: await deps.policies.factorsOf(account.id, flow.clientId),
    policy: await deps.policies.at(flow.clientId),
    knownDevice: deps.knownDevices.find(ctx, account) !== undefined,
    remembered: (await findRemembered(deps.database.db, account.id, tokens)) !== undefined,
  })
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text)
}
