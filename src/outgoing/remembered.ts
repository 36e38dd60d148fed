/**
 * Answers to a GET, kept for a minute by address, failures too. The engine asks for an app's keys whenever a
 * signature names one that it does not know; however often strangers make it ask, the app hears it once (DS-11).
 */
import type { OutgoingFetch, OutgoingRequest } from './outgoing.ts'

const keptMs = 60_000
const mostAnswers = 1000

type Answer = { status: number; headers: Headers; body: ArrayBuffer | null }

/** Whatever is no GET passes through. */
export function rememberAnswers(fetch: OutgoingFetch): OutgoingFetch {
  const answers = new Map<string, { until: number; answer: Promise<Answer> }>()

  return async (url, request = {}) => {
    if ((request.method ?? 'GET') !== 'GET') return fetch(url, request)
    const known = answers.get(url)
    const kept = known && known.until > Date.now() ? known.answer : keep(url, ask(url, request))
    const { status, headers, body } = await kept
    return new Response(body, { status, headers })
  }

  async function ask(url: string, request: OutgoingRequest): Promise<Answer> {
    // Not ended by whoever asked first: others may be waiting for the same answer.
    const response = await fetch(url, { ...request, signal: undefined })
    const { status, headers } = response
    return { status, headers, body: response.body && (await response.arrayBuffer()) }
  }

  function keep(url: string, answer: Promise<Answer>): Promise<Answer> {
    answers.delete(url)
    if (answers.size >= mostAnswers) answers.delete(answers.keys().next().value as string)
    answers.set(url, { until: Date.now() + keptMs, answer })
    return answer
  }
}
