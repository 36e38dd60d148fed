/** One person's browser, as little of it as a flow needs: cookies by path, redirects, one form on a page. */
import type { Answer, Http } from './http.ts'

export type Browser = {
  /** One request, no redirect followed. */
  get(target: string): Promise<Answer>
  post(target: string, fields: Record<string, string>): Promise<Answer>
  /** Follows redirects inside the origin; returns the first answer that leads elsewhere, or a page. */
  follow(answer: Answer): Promise<Answer>
}

export function createBrowser(http: Http, origin: string): Browser {
  /** By path, then name. */
  const cookies = new Map<string, Map<string, string>>()

  function cookieHeader(target: string): string {
    const path = target.split('?', 1)[0] ?? ''
    let header = ''
    for (const [bound, jar] of cookies) {
      if (!isBelow(path, bound)) continue
      for (const [name, value] of jar) header += `${header && '; '}${name}=${value}`
    }
    return header
  }

  function keep(setCookies: string[]): void {
    for (const line of setCookies) {
      const [pair = '', ...attributes] = line.split('; ')
      const equals = pair.indexOf('=')
      const name = pair.slice(0, equals)
      const value = pair.slice(equals + 1)
      const path = attributes.find((text) => /^path=/i.test(text))?.slice(5) ?? '/'
      const jar = cookies.get(path) ?? new Map<string, string>()
      cookies.set(path, jar)
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
  }

  async function send(target: string, form?: Record<string, string>): Promise<Answer> {
    const cookie = cookieHeader(target)
    const headers = { Accept: 'text/html', ...(cookie && { Cookie: cookie }) }
    const answer = await (form
      ? http.send({
          method: 'POST',
          target,
          headers: {
            ...headers,
            Origin: origin,
            'Content-Type': 'application/x-www-form-urlencoded',
          },
          body: new URLSearchParams(form).toString(),
        })
      : http.send({ target, headers }))
    if (answer.setCookies.length > 0) keep(answer.setCookies)
    return answer
  }

  return {
    get: (target) => send(target),
    post: send,
    async follow(answer) {
      let current = answer
      for (let hop = 0; hop < 10; hop++) {
        const { location } = current.headers
        if (location === undefined) return current
        if (!location.startsWith('/') && !location.startsWith(`${origin}/`)) return current
        current = await send(location.startsWith('/') ? location : location.slice(origin.length))
      }
      throw new Error(`redirected too often, the last time to ${current.headers.location}`)
    },
  }
}

/** The first form of a page that posts: where to, and what its hidden fields hold. */
export function formOf(page: Answer): { action: string; fields: Record<string, string> } {
  const form = /<form[^>]*method="post"[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(
    page.body,
  )
  if (!form) throw new Error(`no form on the page (${page.status})`)
  const fields: Record<string, string> = {}
  for (const [, name = '', value = ''] of (form[2] ?? '').matchAll(
    /<input type="hidden" name="([^"]+)" value="([^"]*)"/g,
  )) {
    fields[name] = value
  }
  return { action: form[1] ?? '', fields }
}

function isBelow(path: string, bound: string): boolean {
  return path === bound || path.startsWith(bound.endsWith('/') ? bound : `${bound}/`)
}
