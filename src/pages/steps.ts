/**
 * The steps of a way through sign-in, as a table: where each is, and when it is open. A step is open because of what
 * stands in the flow's row, never because of what a browser says; no page picks the one after it (next-step.ts does).
 */
import { type Factor, type FirstFactor, isFirstFactor } from '../credentials/step-up.ts'
import { type Flow, guessesPerProof, type Proven } from '../oidc/interactions.ts'

export type Step =
  | 'sign-in'
  | 'register'
  | 'verify-email'
  | 'first-passkey'
  | 'reset-password'
  | 'select-account'
  | 'no-access'
  | 'consent'
  | SecondStep
  | 'authenticator'
  | 'add-passkey'
  | 'new-here'
  | 'link-provider'

/** A new second factor is a line here, a line in held-factors.ts, and its page. */
export const secondSteps = {
  totp: 'code',
  'mail-code': 'mail-code',
  'recovery-code': 'recovery-code',
  passkey: 'passkey',
} as const satisfies Record<Exclude<Factor, FirstFactor>, string>

export type SecondStep = (typeof secondSteps)[keyof typeof secondSteps]

export function stepOf(next: Factor | 'enrol'): Step {
  if (next === 'enrol') return 'authenticator'
  return isFirstFactor(next) ? 'sign-in' : secondSteps[next]
}

/** Somebody who is half way in: what was proven, for whom, and what is asked for now. */
export type HalfWay = Omit<Proven, 'at' | 'since' | 'able'> & {
  /** The proof in the flow's row that this builds on; none where a session is stepped up. */
  proven: Proven | undefined
  /** When the first factor was proven, in seconds since 1970, where that was not in this flow. */
  signedInAt?: number
}

/** How long a half may wait for the other, in milliseconds. */
const halfWayMs = 10 * 60 * 1000

type StoredFlow = Pick<Flow, 'prompt' | 'progress' | 'account' | 'session' | 'login'>

/** Undefined for whoever has to begin with the first factor, after too many wrong codes too. */
export function halfWayOf({ prompt, progress, account, session }: StoredFlow): HalfWay | undefined {
  const { proven, guesses = 0 } = progress
  if (guesses >= guessesPerProof) return undefined
  if (proven) return Date.now() - proven.at > halfWayMs ? undefined : { ...proven, proven }
  // Signed in already, and only more is asked for.
  const missing = prompt.reasons.length === 1 && prompt.reasons[0] === 'acr'
  const next = prompt.details.factor as Factor | 'enrol' | undefined
  if (prompt.name !== 'login' || !missing || !account || !session || !next) return undefined
  if (next !== 'enrol' && isFirstFactor(next)) return undefined
  const { amr, signedInAt } = session
  return { accountId: String(account.id), amr, next, proven: undefined, signedInAt }
}

/** What a person may do next in this flow, the first being where they are sent. */
export function stepsOf(flow: StoredFlow): Step[] {
  // Always open, since whoever sits here may not be the one who is signed in.
  const signingIn: Step[] = flow.progress.registrationId
    ? ['verify-email', 'sign-in', 'register', 'reset-password', 'first-passkey']
    : ['sign-in', 'register', 'reset-password']
  const steps = [
    ...secondOf(halfWayOf(flow)),
    ...promptedBy(flow),
    ...(flow.progress.upstream && !flow.login ? (['new-here'] as const) : []),
    ...signingIn,
    ...offeredIn(flow),
  ]
  return [...new Set(steps)]
}

/** Whoever has been let in may take a passkey along, and link what this flow has proven elsewhere. */
function offeredIn({ login, progress }: StoredFlow): Step[] {
  if (!login) return []
  return progress.upstream ? ['link-provider', 'add-passkey'] : ['add-passkey']
}

function promptedBy({ prompt, account }: StoredFlow): Step[] {
  if (prompt.name === 'select_account') return ['select-account']
  if (prompt.name === 'access') return account ? ['no-access'] : []
  return prompt.name === 'consent' && account ? ['consent', 'select-account'] : []
}

/** Whoever is asked for one may prove another; whether they have it, and whether it counts, is asked by its page. */
function secondOf(half: HalfWay | undefined): Step[] {
  if (!half) return []
  return half.next === 'enrol'
    ? ['authenticator']
    : [stepOf(half.next), ...Object.values(secondSteps)]
}

export function pathOf(flowId: string, step: Step): string {
  return step === 'sign-in' ? `/sign-in/${flowId}` : `/sign-in/${flowId}/${step}`
}
