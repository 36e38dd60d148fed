/**
 * What a client is held to that RFC 7591 has no name for: how long its tokens live, whether its refresh tokens
 * rotate, who may vouch for its certificates, and the profile whose rules it keeps as a whole.
 */

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
  /** PEM, one after the other. */
  certificateAuthorities: string | null
}

export const noPolicy: ClientPolicy = {
  profile: null,
  accessTokenSeconds: null,
  refreshIdleSeconds: null,
  refreshTotalSeconds: null,
  refreshRotation: true,
  certificateAuthorities: null,
}

/** Undefined leaves what was. */
export type PolicyChange = { [Field in keyof ClientPolicy]?: ClientPolicy[Field] | undefined }

export function changedPolicy(before: ClientPolicy, change: PolicyChange): ClientPolicy {
  const fields = Object.keys(noPolicy) as (keyof ClientPolicy)[]
  return Object.fromEntries(
    fields.map((field) => [field, change[field] === undefined ? before[field] : change[field]]),
  ) as ClientPolicy
}
