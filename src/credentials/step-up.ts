/**
 * What a sign-in has proven, and what it takes to reach what an app asks for. Tables and pure functions: a new way to
 * sign in is a line in `factors` and in `ways`, and its pages. Nothing here knows a page or the engine.
 */
import { isLevel, type Level, levels, reaches } from '../clients/levels.ts'

/** By what each is known in a session: values of RFC 8176, all of one list. */
export const factors = {
  password: { amr: [['pwd']], kind: 'knowledge' },
  /**
   * Somebody else has signed them in. RFC 8176 has no word for that, and what they proved there is not ours to claim: all
   * that we know is that the person was here and went on (`user`).
   */
  federated: { amr: [['user']], kind: 'knowledge' },
  totp: { amr: [['otp']], kind: 'possession' },
  'mail-code': { amr: [['otp']], kind: 'possession' },
  'recovery-code': { amr: [['otp']], kind: 'possession' },
  /** With user verification: in software that is synchronized, or in hardware. */
  passkey: {
    amr: [
      ['swk', 'user'],
      ['hwk', 'user'],
    ],
    kind: 'possession',
  },
} as const satisfies Record<string, { amr: string[][]; kind: 'knowledge' | 'possession' }>

export type Factor = keyof typeof factors

/** Given on the sign-in page, and asked of nobody beside another. */
export type FirstFactor = 'password' | 'federated'

export function isFirstFactor(factor: Factor): factor is FirstFactor {
  return factor === 'password' || factor === 'federated'
}

/** The ways to each level, the best first; each is done when all its factors are proven. */
const ways: Record<Level, readonly (readonly Factor[])[]> = {
  '1fa': [['password'], ['passkey'], ['federated']],
  '2fa': [
    ['passkey'],
    ['password', 'totp'],
    ['password', 'mail-code'],
    ['password', 'recovery-code'],
    ['federated', 'totp'],
    ['federated', 'mail-code'],
    ['federated', 'recovery-code'],
  ],
  phr: [['passkey']],
}

/** What people can have here; what somebody has is asked of the database (held-factors.ts). */
export const offeredFactors: readonly Factor[] = ['password', 'passkey', 'totp', 'recovery-code']

function isProven(factor: Factor, amr: readonly string[]): boolean {
  return factors[factor].amr.some((all) => all.every((value) => amr.includes(value)))
}

/** The highest level that these values prove; undefined for none of ours. */
export function levelOf(amr: readonly string[]): Level | undefined {
  return levels.findLast((level) =>
    ways[level].some((way) => way.every((factor) => isProven(factor, amr))),
  )
}

/** What the session says after `proven` was proven in it, beside what it had (`before`: the same person's alone). */
export function proofOf(
  proven: readonly string[],
  before: readonly string[] = [],
): { acr: Level; amr: string[] } {
  const plain = [...new Set([...before, ...proven])].filter((value) => value !== 'mfa')
  const acr = levelOf(plain)
  if (!acr) throw new Error(`nothing is proven by ${plain.join(' ')}`)
  return { acr, amr: reaches(acr, '2fa') ? [...plain, 'mfa'] : plain }
}

/** In the app's order of preference. Values that are no level of ours are part of it: they cannot be reached. */
export type Asked = { values: readonly string[]; essential: boolean }

export type Next =
  /** `acr` is what the app is told: of what it named what was reached, else what was reached. */
  { kind: 'enough'; acr: Level } | { kind: 'ask'; factor: Factor } | { kind: 'unreachable' }

/**
 * What comes next for whoever has proven `amr` and could prove `available`. Without a wish one factor is enough. A wish
 * that is not essential never keeps anybody from going on.
 */
export function nextFactor(state: {
  asked?: Asked | undefined
  amr: readonly string[]
  available: readonly Factor[]
}): Next {
  const { asked, amr, available } = state
  const reached = levelOf(amr)
  const named = asked?.values.filter(isLevel) ?? []
  const matching = reached && named.find((level) => level === reached)
  const below = reached && named.find((level) => reaches(reached, level))
  const told = matching ?? below
  if (told) return { kind: 'enough', acr: told }
  const wanted = asked && (named.length > 0 || asked.essential) ? named : (['1fa'] as const)
  for (const level of wanted) {
    const factor = firstStep(level, amr, available)
    if (factor) return { kind: 'ask', factor }
  }
  if (asked?.essential) return { kind: 'unreachable' }
  if (reached) return { kind: 'enough', acr: reached }
  const factor = firstStep('1fa', amr, available)
  return factor ? { kind: 'ask', factor } : { kind: 'unreachable' }
}

/** Of the ways that are open the shortest from here; the table's order decides between equals. */
function firstStep(
  level: Level,
  amr: readonly string[],
  available: readonly Factor[],
): Factor | undefined {
  const missing = ways[level]
    .map((way) => way.filter((factor) => !isProven(factor, amr)))
    .filter((way) => way.every((factor) => available.includes(factor)))
  return missing.toSorted((a, b) => a.length - b.length)[0]?.[0]
}

/** The levels that somebody can reach with these. */
export function reachableLevels(available: readonly Factor[]): Level[] {
  return levels.filter((level) =>
    ways[level].some((way) => way.every((factor) => available.includes(factor))),
  )
}

/** What a protected resource asks of the sign-in behind a token (RFC 9470). */
export type Demand = { acr?: Level | undefined; maxAgeSeconds?: number | undefined }

/** What of it the token lacks, for the challenge; undefined when it is enough. Times in seconds. */
export function shortfall(
  token: { acr?: unknown; authTime?: unknown },
  { acr, maxAgeSeconds }: Demand,
  now = Math.floor(Date.now() / 1000),
): { acr_values?: string; max_age?: number } | undefined {
  const weak = acr !== undefined && !(isLevel(token.acr) && reaches(token.acr, acr))
  const old =
    maxAgeSeconds !== undefined &&
    !(typeof token.authTime === 'number' && now - token.authTime <= maxAgeSeconds)
  if (!weak && !old) return undefined
  return {
    ...(weak ? { acr_values: acr } : {}),
    ...(old ? { max_age: maxAgeSeconds } : {}),
  }
}
