/** When a second factor is asked for and which count, as an operator says it: for everything here, or for one app. */

/**
 * `asked`: when the app asks for that level. `enrolled`: also whenever the person has an authenticator. `new-device`:
 * whenever somebody who could prove one comes from a browser that has not signed in to the account before. `always`:
 * who has none sets one up before going on.
 */
export const secondFactorTimes = ['asked', 'enrolled', 'new-device', 'always'] as const

export type SecondFactorTime = (typeof secondFactorTimes)[number]

export const secondFactors = ['passkey', 'totp', 'mail-code', 'recovery-code'] as const

export type SecondFactor = (typeof secondFactors)[number]

export function isSecondFactor(text: string): text is SecondFactor {
  return (secondFactors as readonly string[]).includes(text)
}
