/** WB-01: the cookies of a production issuer, behind a proxy that ends TLS, through a whole sign-in. */
import { expect, test } from 'vitest'
import { randomToken } from '../../src/crypto.ts'
import { createPerson, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const issuer = 'https://op.example.com'
const server = await startTestServer({
  env: {
    ISSUER: issuer,
    HOST: '127.0.0.1',
    SECRET_KEY: randomToken(),
    SMTP_URL: 'smtp://127.0.0.1:1',
    MAIL_FROM: 'idp@example.com',
    TRUSTED_PROXIES: '127.0.0.1,::1',
  },
})
const local = `http://127.0.0.1:${server.config.port}`
const jar = new Map<string, string>()
const seen: string[] = []

/** As the proxy passes it on. */
async function ask(url: string, form?: URLSearchParams): Promise<Response> {
  const { pathname, search } = new URL(url, issuer)
  const response = await fetch(local + pathname + search, {
    method: form ? 'POST' : 'GET',
    redirect: 'manual',
    headers: {
      'x-forwarded-host': 'op.example.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '203.0.113.9',
      cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
      ...(form ? { origin: issuer } : {}),
    },
    ...(form ? { body: form } : {}),
  })
  for (const cookie of response.headers.getSetCookie()) {
    seen.push(cookie)
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
    if (value === '') jar.delete(name)
    else jar.set(name, value)
  }
  return response
}

test('every cookie of a sign-in is __Host- or __Secure-, HttpOnly, Lax, without a domain, and random', async () => {
  const person = await createPerson(server)
  const app = await createApp({ ...server, origin: issuer }, { firstParty: true })
  const begun = await ask(app.begin().url)
  const path = begun.headers.get('location') ?? ''
  const page = await (await ask(path)).text()
  const form = new URLSearchParams({ identifier: person.username, password })
  form.set('csrf', /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '')
  const resume = await ask(path, form)
  const back = await ask(resume.headers.get('location') ?? '')
  expect(back.headers.get('location')).toContain('code=')

  const names = new Set(seen.map((cookie) => cookie.split('=')[0]))
  expect(names).toContain('__Host-session')
  expect(names).toContain('__Secure-flow')
  for (const cookie of seen) {
    const [name = '', ...rest] = cookie.split('=')
    const value = rest.join('=').split(';')[0] ?? ''
    expect(cookie).toMatch(/;\s*secure/i)
    expect(cookie).toMatch(/;\s*httponly/i)
    expect(cookie).toMatch(/;\s*samesite=lax/i)
    expect(cookie).not.toMatch(/;\s*domain=/i)
    expect(cookie.length).toBeLessThan(4096)
    if (value !== '') expect(value.length).toBeGreaterThanOrEqual(22)
    if (name.startsWith('__Host-')) expect(cookie).toMatch(/;\s*path=\/(;|$)/i)
    else expect(name).toMatch(/^__Secure-/)
  }
  expect(back.headers.get('strict-transport-security')).toContain('max-age=')
})
