/**
 * Apps are told by `error_uri` (RFC 6749 §5.2, §4.1.2.1) where their developer can learn more, however the answer goes to
 * them: as JSON, in the query or the fragment of a redirect, in a form that posts itself, or signed (JARM).
 */
import { decodeJwt } from 'jose'
import type { Context } from 'koa'
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'

/** An error that an app is answered with; `tell` puts more about it into the same answer. */
export type Refusal = { out: ErrorOut; tell(uri: string): Promise<void> }

/** Undefined when the answer refuses nothing, or is not for an app. */
export function refusalIn(ctx: Context): Refusal | undefined {
  const { body, status } = ctx
  if (status === 303) return inRedirect(ctx)
  if (status < 400 || status >= 500) return undefined
  if (typeof body === 'string') return inForm(ctx, body)
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined
  const out = body as ErrorOut
  return {
    out,
    async tell(uri) {
      ctx.body = { ...out, error_uri: uri }
    },
  }
}

function inRedirect(ctx: Context): Refusal | undefined {
  const target = URL.parse(ctx.response.get('Location'))
  if (!target) return undefined
  const fragment = new URLSearchParams(target.hash.slice(1))
  const inFragment = fragment.has('error') || fragment.has('response')
  const members = inFragment ? fragment : target.searchParams
  const put = (name: string, value: string) => {
    members.set(name, value)
    if (inFragment) target.hash = members.toString()
    ctx.set('Location', target.href)
  }
  const error = members.get('error')
  if (error === null) return inSigned(ctx, members.get('response'), (jwt) => put('response', jwt))
  return {
    out: { error, error_description: members.get('error_description') ?? undefined },
    tell: async (uri) => put('error_uri', uri),
  }
}

/** The engine's own form: hidden inputs, a line each. */
function inForm(ctx: Context, html: string): Refusal | undefined {
  if (!/<form method="post" action=/.test(html)) return undefined
  const memberOf = (name: string) =>
    new RegExp(`<input type="hidden" name="${name}" value="([^"]*)"/>`).exec(html)?.[1]
  const error = memberOf('error')
  const response = memberOf('response')
  if (error === undefined) {
    return inSigned(ctx, response ?? null, (jwt) => {
      ctx.body = html.replace(String(response), () => jwt)
    })
  }
  const description = memberOf('error_description')
  return {
    out: { error, error_description: description && asText(description) },
    async tell(uri) {
      const input = `<input type="hidden" name="error_uri" value="${uri}"/>`
      ctx.body = html.replace('<input type="hidden" name="error"', (first) => `${input}\n${first}`)
    },
  }
}

/** A signed answer is signed anew. Whatever else stands in an app's own address is none. */
function inSigned(
  ctx: Context,
  response: string | null,
  put: (jwt: string) => void,
): Refusal | undefined {
  const oidcCtx = ctx as unknown as KoaContextWithOIDC
  const { oidc } = oidcCtx
  if (response === null || !String(oidc?.params?.response_mode).endsWith('jwt')) return undefined
  const { iat: _, exp: _exp, aud: _aud, ...payload } = decodeJwt<Partial<ErrorOut>>(response)
  if (typeof payload.error !== 'string') return undefined
  const out = { error: payload.error, error_description: payload.error_description }
  return {
    out,
    async tell(uri) {
      const token = new oidc.provider.IdToken({}, { ctx: oidcCtx }) as unknown as Signer
      token.extra = { ...payload, error_uri: uri }
      put(await token.issue({ use: 'authorization' }))
    },
  }
}

type Signer = { extra: object; issue(options: { use: string }): Promise<string> }

/** What the engine escapes (html_safe.js). */
function asText(html: string): string {
  const names: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' }
  return html.replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => names[name] ?? '')
}
