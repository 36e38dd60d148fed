/** Why a call was not made or came to nothing. Names the host, and never holds anything that came from there. */

export type OutgoingReason = (typeof rules)[number] | (typeof failures)[number]

const rules = [
  'malformed',
  'scheme',
  'insecure',
  'userinfo',
  'fragment',
  'port',
  'private',
  'own-issuer',
] as const
const failures = ['unresolved', 'timeout', 'unreachable', 'too-large'] as const

export class OutgoingError extends Error {
  readonly reason: OutgoingReason
  /** By a rule of ours, before anything was connected to: trying again changes nothing. */
  readonly refused: boolean
  constructor(reason: OutgoingReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'OutgoingError'
    this.reason = reason
    this.refused = (rules as readonly string[]).includes(reason)
  }
}

/** What Node says of a connection, in our words. */
export function failureOf(
  cause: unknown,
  context: { host: string; signal: AbortSignal; otherwise: 'unresolved' | 'unreachable' },
): OutgoingError {
  const { host, signal, otherwise } = context
  if (cause instanceof OutgoingError) return cause
  if (signal.aborted) return new OutgoingError('timeout', `${host} did not answer in time`)
  const { code = 'no answer' } = cause as { code?: string }
  return new OutgoingError(otherwise, `${host} cannot be reached (${code})`, { cause })
}
