/**
 * What a client is held to that RFC 7591 has no name for: how long its tokens live, whether its refresh tokens
 * rotate, what sign-in they stand for, who may vouch for its certificates, and the profile whose rules it keeps as a whole.
 */
import type { ClaimNames } from './claim-names.ts'
import type { Level } from './levels.ts'
import type { SecondFactor, SecondFactorTime } from './second-factor.ts'

export const profiles = ['fapi2', 'fapi2-message-signing'] as const

export type Profile = (typeof profiles)[number]

/** Null: what holds for every client. Times in seconds. */
export type ClientPolicy = {
  profile: Profile | null
  accessTokenSeconds: number | null
  /** How long a refresh token lives unused, and how long its whole family. */
  refreshIdleSeconds: number | null
  refreshTotalSeconds: number | null
  refreshRotation: boolean
  /** What userinfo asks of the sign-in behind a token of this client's (RFC 9470). */
  userinfoAcr: Level | null
  userinfoMaxAgeSeconds: number | null
  /** Asks for passwords itself (first-party apps alone). */
  authorizationChallenge: boolean
  /** When a second factor is asked of people on the way to it, and which count. */
  secondFactor: SecondFactorTime | null
  secondFactors: SecondFactor[] | null
  /** PEM, one after the other. */
  certificateAuthorities: string | null
  /** How it calls claims of ours. */
  claimNames: ClaimNames | null
}

export const noPolicy: ClientPolicy = {
  profile: null,
  accessTokenSeconds: null,
  refreshIdleSeconds: null,
  refreshTotalSeconds: null,
  refreshRotation: true,
  userinfoAcr: null,
  userinfoMaxAgeSeconds: null,
  authorizationChallenge: false,
  secondFactor: null,
  secondFactors: null,
  certificateAuthorities: null,
  claimNames: null,
}

/** Undefined leaves what was. */
export type PolicyChange = { [Field in keyof ClientPolicy]?: ClientPolicy[Field] | undefined }

export function changedPolicy(before: ClientPolicy, change: PolicyChange): ClientPolicy {
  const fields = Object.keys(noPolicy) as (keyof ClientPolicy)[]
  return Object.fromEntries(
    fields.map((field) => [field, change[field] === undefined ? before[field] : change[field]]),
  ) as ClientPolicy
}
