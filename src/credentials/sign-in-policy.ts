/**
 * Whether somebody who has proven something is let in, has to prove more, or has to set up something to prove first.
 * Pure: what the app asks, what the operator asks, what the person has. step-up.ts knows which factors reach which level.
 */
import { reaches } from '../clients/levels.ts'
import type { SecondFactor, SecondFactorTime } from '../clients/second-factor.ts'
import {
  type Asked,
  type Factor,
  isFirstFactor,
  levelOf,
  type Next,
  nextFactor,
} from './step-up.ts'

export type SignInPolicy = {
  when: SecondFactorTime
  /** Which second factors count. */
  factors: readonly SecondFactor[]
  /** For how long a browser may stand for the second factor that was proven in it; 0 for never. */
  rememberDays: number
}

export const defaultPolicy: SignInPolicy = {
  when: 'enrolled',
  factors: ['passkey', 'totp', 'recovery-code'],
  rememberDays: 30,
}

/** What holds at one app. */
export function policyAt(
  deployment: SignInPolicy,
  client:
    | { secondFactor: SecondFactorTime | null; secondFactors: SecondFactor[] | null }
    | undefined,
): SignInPolicy {
  return {
    ...deployment,
    when: client?.secondFactor ?? deployment.when,
    factors: client?.secondFactors ?? deployment.factors,
  }
}

/** Of what the person has, what counts here. */
export function countingFactors(held: readonly Factor[], { factors }: SignInPolicy): Factor[] {
  return held.filter((factor) => isFirstFactor(factor) || factors.includes(factor))
}

export type Step = Next | { kind: 'enrol' }

export type SignInState = {
  asked?: Asked | undefined
  amr: readonly string[]
  /** What the person has and what counts. */
  available: readonly Factor[]
  policy: Pick<SignInPolicy, 'when'>
  /** The browser has signed in to this account before. */
  knownDevice: boolean
  /** The browser stands for a second factor that was proven in it. */
  remembered: boolean
}

/**
 * The app's wish comes first, and only what is proven now counts for it. Then the operator's: a remembered browser is
 * enough there, and `enrolled` means an authenticator; a passkey or recovery codes alone turn nothing on, or whoever
 * has made a passkey at one device could not sign in with the password at another.
 */
export function nextStep(state: SignInState): Step {
  const { asked, amr, available, policy } = state
  const next = nextFactor({ asked, amr, available })
  const reached = levelOf(amr)
  if (next.kind === 'ask' || !reached || reaches(reached, '2fa')) return next
  if (state.remembered || !isDemanded(state)) return next
  const second = nextFactor({ asked: { values: ['2fa'], essential: true }, amr, available })
  if (second.kind === 'ask') return second
  return policy.when === 'always' ? { kind: 'enrol' } : next
}

function isDemanded({ policy, available, knownDevice }: SignInState): boolean {
  switch (policy.when) {
    case 'asked':
      return false
    case 'enrolled':
      return available.includes('totp')
    case 'new-device':
      return !knownDevice
    default:
      return true
  }
}
