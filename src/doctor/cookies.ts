/** The cookies of a sign-in as they arrive through the proxy: names, flags, and where they are bound to. */
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'
import { ask } from './request.ts'

const longestWay = 4

/** Begins a sign-in as a browser would, up to the page. */
export async function checkCookies({ config, world }: Patient): Promise<Finding[]> {
  const set: string[] = []
  const jar = new Map<string, string>()
  let url = `${config.issuer}/sign-in`
  for (let step = 0; step < longestWay; step++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const reply = await ask(world.fetch, url, { headers: cookie ? { cookie } : {} })
    if (!reply.ok) return [skipped('cookies', `no sign-in page: ${reply.words}`)]
    for (const line of reply.headers.getSetCookie()) {
      set.push(line)
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=')
      jar.set(name, value)
    }
    const next = URL.parse(reply.headers.get('location') ?? '', url)
    if (reply.status < 300 || reply.status >= 400) {
      if (reply.status === 200 || set.length === 0) return judgeCookies(config.issuer, set)
      return [skipped('cookies', `no sign-in page: it answers ${reply.status}`)]
    }
    if (next?.origin !== new URL(config.issuer).origin) {
      return [
        broken('cookies', `the way to the sign-in page leads to ${next?.origin ?? 'nowhere'}`, {
          expected: config.issuer,
          fix: 'the proxy must not rewrite Location (nginx: proxy_redirect off;)',
        }),
      ]
    }
    url = next.href
  }
  return [skipped('cookies', 'the way to the sign-in page has no end')]
}

/** `set` are the values of Set-Cookie. */
export function judgeCookies(issuer: string, set: string[]): Finding[] {
  const secure = issuer.startsWith('https:')
  if (set.length === 0) {
    return [
      broken('cookies', 'no cookie arrives', {
        expected: 'the cookies of a sign-in',
        fix: 'the proxy must pass Set-Cookie on (nginx: no proxy_hide_header Set-Cookie, no cache)',
      }),
    ]
  }
  const wrong = set.flatMap((line) => judgeCookie(line, secure))
  if (wrong.length > 0) return wrong
  const names = [...new Set(set.map((line) => shortName(line)))]
  return [ok('cookies', `${names.join(', ')}: ${secure ? 'Secure, ' : ''}HttpOnly, SameSite=Lax`)]
}

function judgeCookie(line: string, secure: boolean): Finding[] {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
  const name = pair.split('=')[0] ?? ''
  const given = new Map(
    attributes.map((attribute) => {
      const [key = '', value = ''] = attribute.split('=')
      return [key.toLowerCase(), value] as const
    }),
  )
  const findings: Finding[] = []
  const complain = (seen: string, expected: string, fix: string) =>
    findings.push(broken('cookies', `${shortName(line)} ${seen}`, { expected, fix }))
  if (secure && !/^__(Host|Secure)-/.test(name)) {
    complain('has no prefix', '__Host- or __Secure-', 'restart the server with the https ISSUER')
  }
  if (secure && !given.has('secure'))
    complain('is not Secure', 'Secure', 'the proxy takes it away (nginx: no proxy_cookie_flags)')
  if (given.has('domain'))
    complain(`has Domain=${given.get('domain')}`, 'no Domain', 'nginx: proxy_cookie_domain off;')
  if (name.startsWith('__Host-') && given.get('path') !== '/')
    complain(`has Path=${given.get('path') ?? ''}`, 'Path=/', 'nginx: proxy_cookie_path off;')
  if (!given.has('httponly'))
    complain('is not HttpOnly', 'HttpOnly', 'nginx: no proxy_cookie_flags')
  if (given.get('samesite')?.toLowerCase() !== 'lax') {
    findings.push(
      warning('cookies', `${shortName(line)} has SameSite=${given.get('samesite') ?? 'nothing'}`, {
        expected: 'SameSite=Lax',
        fix: 'nginx: no proxy_cookie_flags',
      }),
    )
  }
  return findings
}

/** The name of the CSRF cookie ends in something that is random. */
function shortName(line: string): string {
  return (line.split('=')[0] ?? '').replace(/^((?:__\w+-)?csrf)-.*$/, '$1-…')
}
