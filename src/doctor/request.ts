/** One request of a check: it ends soon, follows nothing, and tells failures in words. */

const timeoutMs = 5000
const longestBody = 200_000

export type Reply = { ok: true; status: number; headers: Headers; body: string }
export type NoReply = { ok: false; words: string }

/** Never throws: a server that is not there is an answer too. */
export async function ask(
  fetching: typeof fetch,
  url: string,
  init: RequestInit = {},
): Promise<Reply | NoReply> {
  try {
    const response = await fetching(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...init,
    })
    const body = (await response.text()).slice(0, longestBody)
    return { ok: true, status: response.status, headers: response.headers, body }
  } catch (error) {
    return { ok: false, words: reasonOf(error) }
  }
}

/** Why there was no answer. */
export function reasonOf(error: unknown): string {
  const { name, cause, message } = error as Error & { cause?: { code?: string; message?: string } }
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} seconds`
  const code = cause?.code ?? (error as { code?: string }).code
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name is not known to DNS'
  if (code?.includes('CERT') || code?.includes('SIGNED') || code?.includes('VERIFY'))
    return `its certificate is not trusted (${code})`
  return cause?.message || code || message
}

/** JSON of an answer, or undefined where it is none. */
export function jsonOf({ body }: Reply): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
