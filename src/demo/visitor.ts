/**
 * A person without JavaScript, played over HTTP: keeps cookies, follows redirects, fills the forms that the pages
 * show and presses their buttons. Knows nothing of the pages but what a browser would.
 */

export type Page = {
  url: string
  status: number
  headers: Headers
  body: string
  /** The text of `#error`, if the page shows one. */
  error: string | undefined
}

export type Visitor = {
  /** Follows redirects as long as they stay at an origin of `at`; stops at the first that leads elsewhere. */
  get(url: string): Promise<Page>
  /** Fills the form that holds the button (by id) and presses it; other fields keep what the page gave them. */
  press(page: Page, button: string, fields?: Record<string, string>): Promise<Page>
  /** Follows the link with this id. */
  follow(page: Page, link: string): Promise<Page>
  cookies: Map<string, Cookie>
}

type Cookie = { name: string; value: string; path: string; host: string }

const mostRedirects = 20

/** `at` are the origins this person goes to; an address elsewhere is returned and not visited. */
export function createVisitor(options: {
  at: string[]
  headers?: Record<string, string>
}): Visitor {
  const { at, headers = {} } = options
  const cookies = new Map<string, Cookie>()

  function cookieHeader(url: URL): string {
    return [...cookies.values()]
      .filter(({ host, path }) => host === url.host && isBelow(url.pathname, path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  function keep(url: URL, setCookies: string[]): void {
    for (const line of setCookies) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const [name = '', ...rest] = pair.split('=')
      const value = rest.join('=')
      const attribute = (wanted: string) =>
        attributes
          .find((text) => text.toLowerCase().startsWith(`${wanted}=`))
          ?.slice(wanted.length + 1)
      const path = attribute('path') ?? '/'
      const key = `${url.host} ${path} ${name}`
      const ended =
        attribute('max-age') === '0' || new Date(attribute('expires') ?? '9999') <= new Date()
      if (ended || value === '') cookies.delete(key)
      else cookies.set(key, { name, value, path, host: url.host })
    }
  }

  async function visit(first: string, form?: URLSearchParams): Promise<Page> {
    let url = new URL(first)
    let body = form
    for (let hop = 0; hop < mostRedirects; hop++) {
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        headers: {
          accept: 'text/html',
          ...headers,
          ...(body ? { origin: url.origin } : {}),
          cookie: cookieHeader(url),
        },
        ...(body ? { body } : {}),
      })
      keep(url, response.headers.getSetCookie())
      const location = response.headers.get('location')
      if (!location || response.status < 300 || response.status > 399)
        return toPage(url.href, response)
      await response.body?.cancel()
      url = new URL(location, url)
      if (!at.includes(url.origin)) {
        return {
          url: url.href,
          status: response.status,
          headers: response.headers,
          body: '',
          error: undefined,
        }
      }
      body = undefined
    }
    throw new Error(`too many redirects, the last to ${url.href}`)
  }

  return {
    cookies,
    get: (url) => visit(url),
    press(page, button, fields = {}) {
      const form = formOf(page, button)
      for (const [name, value] of Object.entries(fields)) form.fields.set(name, value)
      return visit(form.action, form.fields)
    },
    follow(page, link) {
      const tag = tags(page.body, 'a').find((attributes) => attributes.id === link)
      if (!tag?.href) throw new Error(`no link #${link} at ${describe(page)}`)
      return visit(new URL(tag.href, page.url).href)
    },
  }
}

async function toPage(url: string, response: Response): Promise<Page> {
  const body = await response.text()
  const error = /<[^>]+id="error"[^>]*>([\s\S]*?)<\//.exec(body)?.[1]
  return {
    url,
    status: response.status,
    headers: response.headers,
    body,
    error: error && decode(error.replace(/<[^>]+>/g, '')).trim(),
  }
}

/** The form that a button belongs to, with every field as the page filled it. */
function formOf(page: Page, button: string): { action: string; fields: URLSearchParams } {
  for (const [, attributes = '', content = ''] of page.body.matchAll(
    /<form([^>]*)>([\s\S]*?)<\/form>/g,
  )) {
    const pressed = tags(content, 'button').find(({ id }) => id === button)
    if (!pressed) continue
    const fields = new URLSearchParams()
    for (const { name, value = '', type } of tags(content, 'input')) {
      // Boxes of ours are never ticked beforehand.
      if (name && type !== 'checkbox') fields.set(name, value)
    }
    if (pressed.name) fields.set(pressed.name, pressed.value ?? '')
    return { action: new URL(read(attributes).action ?? '', page.url).href, fields }
  }
  throw new Error(`no button #${button} at ${describe(page)}`)
}

function tags(html: string, name: string): Record<string, string>[] {
  return [...html.matchAll(new RegExp(`<${name}\\b([^>]*)>`, 'g'))].map(([, text = '']) =>
    read(text),
  )
}

function read(attributes: string): Record<string, string> {
  return Object.fromEntries(
    [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      decode(value),
    ]),
  )
}

function decode(text: string): string {
  const known: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => known[name] ?? '')
}

function isBelow(path: string, cookiePath: string): boolean {
  return (
    path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
  )
}

function describe(page: Page): string {
  const heading = /<h1[^>]*>([\s\S]*?)<\/h1>/.exec(page.body)?.[1]?.trim() ?? 'no heading'
  return `${page.url} (${page.status}, “${heading}”${page.error ? `, ${page.error}` : ''})`
}
