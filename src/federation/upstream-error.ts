/**
 * How a sign-in elsewhere fails, in a few codes that are phrases of pages. What the upstream said goes to the log and to
 * `idp providers test`, never to the person: it is a stranger's text.
 */
import { AuthorizationResponseError, ResponseBodyError } from 'openid-client'
import { OutgoingError } from '../outgoing/errors.ts'

export const upstreamProblems = [
  /** It does not answer, or answers with a fault of its own. */
  'upstream_unreachable',
  /** The person said no there. */
  'upstream_denied',
  /** It refuses us. */
  'upstream_refused',
  /** What it said is not what it must be. */
  'upstream_invalid',
  /** Asked to let the person sign in anew, it has not. */
  'upstream_not_fresh',
  /** The way there was another browser's, is too old, or was gone already. */
  'upstream_expired',
  /** Its account is somebody else's here. */
  'identity_taken',
  'account_disabled',
] as const
export type UpstreamProblem = (typeof upstreamProblems)[number]

export class UpstreamError extends Error {
  readonly code: UpstreamProblem
  constructor(code: UpstreamProblem, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.name = 'UpstreamError'
    this.code = code
  }
}

const denied = new Set(['access_denied', 'user_cancelled_authorize', 'user_cancelled_login'])

/**
 * Whatever was thrown on the way to an upstream and back. `sent` are secrets of this way: some upstreams quote in their
 * refusals what they were sent.
 */
export function upstreamErrorOf(error: unknown, sent: readonly string[] = []): UpstreamError {
  if (error instanceof UpstreamError) return error
  const quiet = (text: string) =>
    sent.reduce(
      (rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '(left out)')),
      text,
    )
  const fail = (code: UpstreamProblem, detail: string) =>
    new UpstreamError(code, short(quiet(detail)), { cause: error })
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof OutgoingError) return fail('upstream_unreachable', cause.message)
  }
  if (error instanceof AuthorizationResponseError) {
    return fail(denied.has(error.error) ? 'upstream_denied' : 'upstream_refused', error.error)
  }
  if (error instanceof ResponseBodyError) {
    const code = error.status >= 500 ? 'upstream_unreachable' : 'upstream_refused'
    return fail(code, [error.error, error.error_description].filter(Boolean).join(': '))
  }
  if (error instanceof Error) {
    const { cause } = error
    const inner = cause instanceof Error ? `: ${cause.message}` : ''
    const status = cause instanceof Response ? cause.status : 0
    return fail(status >= 500 ? 'upstream_unreachable' : 'upstream_invalid', error.message + inner)
  }
  return fail('upstream_invalid', String(error))
}

/** One line, short, plain: some of it is theirs. */
function short(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}
