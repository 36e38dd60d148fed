/** The engine's way out: its own requests for keys, sector identifiers and logout go through our guard. */
import type { Configuration } from 'oidc-provider'
import type { Outgoing } from '../outgoing/outgoing.ts'
import { rememberAnswers } from '../outgoing/remembered.ts'

export type EngineFetch = NonNullable<Configuration['fetch']>

/** One for all engines of a process, or a new key set would forget what apps answered. */
export function createEngineFetch(outgoing: Outgoing): EngineFetch {
  const fetch = rememberAnswers(outgoing.fetch)
  return (url, { method, headers, body, signal } = {}) =>
    fetch(String(url), {
      method,
      headers,
      body: body == null ? undefined : String(body),
      signal: signal ?? undefined,
      // Of what it posts the engine wants to know whether it arrived.
      statusOnly: method === 'POST',
    })
}
