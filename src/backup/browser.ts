/** As much of a browser as a sign-in needs: cookies, redirects on one host, and the form of a page. */

export type Visited = { url: string; status: number; body: string }

export type Visitor = {
  get(url: string): Promise<Visited>
  /** Sends the first form of a page, with what was typed. */
  send(page: Visited, typed: Record<string, string>): Promise<Visited>
}

const mostRedirects = 20
const patienceMs = 20_000

export function createVisitor(origin: string): Visitor {
  const cookies = new Map<string, { value: string; path: string }>()

  async function go(url: string, form?: URLSearchParams): Promise<Visited> {
    let at = new URL(url)
    let body = form
    for (let hops = 0; hops < mostRedirects; hops++) {
      if (at.origin !== origin) throw new Error(`sent away to ${at.origin}`)
      const response = await fetch(at, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        signal: AbortSignal.timeout(patienceMs),
        headers: { cookie: cookiesFor(at.pathname), origin, accept: 'text/html' },
        ...(body ? { body } : {}),
      })
      keep(response.headers.getSetCookie())
      const next = response.headers.get('location')
      if (!next || response.status < 300 || response.status > 399)
        return { url: at.href, status: response.status, body: await response.text() }
      await response.body?.cancel()
      at = new URL(next, at)
      body = undefined
    }
    throw new Error('sent round in circles')
  }

  function cookiesFor(path: string): string {
    return [...cookies]
      .filter(([, cookie]) => path.startsWith(cookie.path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
  }

  function keep(lines: string[]): void {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(/; */)
      const [name = '', ...value] = pair.split('=')
      const path = attributes.find((text) => /^path=/i.test(text))?.slice(5) ?? '/'
      if (value.join('=') === '') cookies.delete(name)
      else cookies.set(name, { value: value.join('='), path })
    }
  }

  return {
    get: (url) => go(url),
    send(page, typed) {
      const [, tag = '', inner = ''] =
        /<form method="post"([^>]*)>([\s\S]*?)<\/form>/.exec(page.body) ?? []
      const action = decode(/action="([^"]*)"/.exec(tag)?.[1] ?? '')
      const form = new URLSearchParams(typed)
      for (const [input] of inner.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
        const name = /name="([^"]*)"/.exec(input)?.[1]
        if (name) form.set(name, decode(/value="([^"]*)"/.exec(input)?.[1] ?? ''))
      }
      return go(new URL(action, page.url).href, form)
    },
  }
}

function decode(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}
