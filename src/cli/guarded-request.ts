/** A probe's request to an address that somebody else chose: through the guard, and failures in words. */
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch, OutgoingRequest } from '../outgoing/outgoing.ts'
import { ask } from './probe-request.ts'

export type Answer =
  | { ok: true; status: number; challenge: string; body: string }
  | { ok: false; words: string; fix: string }

/** Our own copy is asked as the issuer is; everything else goes through the guard. */
export async function readAnywhere(
  { issuer, fetch }: { issuer: string; fetch: OutgoingFetch },
  address: string,
): Promise<Answer> {
  if (new URL(address).origin !== new URL(issuer).origin) {
    return callGuarded(fetch, address, { headers: { accept: 'application/json' } })
  }
  const answer = await ask(address)
  return answer.ok ? { ...answer, challenge: '' } : { ...answer, fix: 'Start the server.' }
}

/** With what to do when the guard or the other side says no. */
export async function callGuarded(
  fetch: OutgoingFetch,
  address: string,
  request: OutgoingRequest,
): Promise<Answer> {
  try {
    const response = await fetch(address, { timeoutMs: 5000, ...request })
    const challenge = response.headers.get('www-authenticate') ?? ''
    return { ok: true, status: response.status, challenge, body: await response.text() }
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    const { host } = new URL(address)
    const fix = ['private', 'insecure', 'port'].includes(error.reason)
      ? `If it is meant: ALLOW_PRIVATE_TARGETS=${withPort(address)}`
      : `Is it up, and is ${host} its name?`
    return { ok: false, words: error.message, fix }
  }
}

function withPort(address: string): string {
  const { hostname, port, protocol } = new URL(address)
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}
