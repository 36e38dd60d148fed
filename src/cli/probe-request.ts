/** One HTTP request of a probe: it ends soon, follows nothing, and tells failures in words. */

const timeoutMs = 5000
const longestBody = 200_000

export type Reply = { ok: true; status: number; location: string | null; body: string }

/** Never throws: a server that is not there is an answer too. */
export async function ask(
  url: string,
  init: RequestInit = {},
): Promise<Reply | { ok: false; words: string }> {
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...init,
    })
    const body = (await response.text()).slice(0, longestBody)
    return { ok: true, status: response.status, location: response.headers.get('location'), body }
  } catch (error) {
    return { ok: false, words: reasonOf(error) }
  }
}

/** What an error says, whether it is JSON for programs or a page for people. */
export function wordsOf({ body }: Reply): string {
  try {
    const { error, error_description: description } = JSON.parse(body) as Record<string, unknown>
    return [error, description].filter((part) => typeof part === 'string').join(': ')
  } catch {
    const shown = [
      /id="error"[^>]*>([^<]+)/,
      /class="technical"><code>([^<]+)/,
      /<\/code><span[^>]*>([^<]+)/,
    ]
      .map((pattern) => pattern.exec(body)?.[1]?.trim())
      .filter((text) => text !== undefined)
    return shown.join(' · ') || 'it says nothing more'
  }
}

function reasonOf(error: unknown): string {
  const { name, cause, message } = error as Error & { cause?: { code?: string; message?: string } }
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} seconds`
  const code = cause?.code
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name is not known to DNS'
  if (code?.includes('CERT') || code?.includes('SIGNED'))
    return `its certificate is not trusted (${code})`
  return cause?.message || code || message
}
