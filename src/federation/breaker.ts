/**
 * One upstream that is slow or away must cost nobody more than a moment: after a few failures in a row it is not asked
 * for a while, and whoever would have waited is told at once (security RL-20).
 */
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'

const mostFailures = 3
const restMs = 30_000

/** Counts calls that came to nothing, and 502 to 504; a 500 may be the answer to what a stranger made us send. */
export function createBreaker(fetch: OutgoingFetch): OutgoingFetch {
  let failures = 0
  let restsUntil = 0

  return async (url, request) => {
    if (Date.now() < restsUntil) {
      throw new OutgoingError('unreachable', `${new URL(url).host} rests after failures`)
    }
    try {
      const response = await fetch(url, request)
      if ([502, 503, 504].includes(response.status)) fail()
      else failures = 0
      return response
    } catch (error) {
      fail()
      throw error
    }
  }

  function fail(): void {
    failures += 1
    if (failures < mostFailures) return
    // The first call after the rest is a try: it opens or rests again.
    failures = mostFailures - 1
    restsUntil = Date.now() + restMs
  }
}
