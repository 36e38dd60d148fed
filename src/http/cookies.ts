/**
 * The cookies of our own pages (WB-01): HttpOnly, SameSite=Lax, no Domain; `__Host-` and Secure as soon as the
 * issuer is https, plain names on http loopback. The session's and the flows' cookies are the engine's.
 */
import type { Context } from 'koa'

/** `__Host-` binds a cookie to this very host over https, so no subdomain can plant one. */
export function hostCookieName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name
}

/** Every cookie of the request whose name begins with `prefix`, newest header order kept. */
export function cookiesNamed(ctx: Context, prefix: string): { name: string; value: string }[] {
  const header = ctx.req.headers.cookie
  if (header === undefined) return []
  return header.split(';').flatMap((pair) => {
    const [name = '', ...value] = pair.trim().split('=')
    return name.startsWith(prefix) ? [{ name, value: value.join('=') }] : []
  })
}

export function readCookie(ctx: Context, name: string): string | undefined {
  return cookiesNamed(ctx, name).find((cookie) => cookie.name === name)?.value
}

/** `value` is of our own making: letters, digits and `-_.~` alone. Without `maxAgeSeconds` it ends with the browser. */
export function setCookie(
  ctx: Context,
  name: string,
  value: string,
  options: { secure: boolean; maxAgeSeconds?: number },
): void {
  if (!/^[A-Za-z0-9_.~-]*$/.test(value)) throw new Error(`cookie ${name} holds other characters`)
  const parts = [`${name}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Lax']
  if (options.maxAgeSeconds !== undefined) parts.push(`Max-Age=${options.maxAgeSeconds}`)
  if (options.secure) parts.push('Secure')
  ctx.append('Set-Cookie', parts.join('; '))
}
