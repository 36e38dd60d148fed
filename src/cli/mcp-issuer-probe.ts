/**
 * What an MCP client does at the authorization server that it was sent to: reads our metadata (RFC 8414), finds a way to
 * become a client, asks for authorization with `resource` and PKCE up to where a person would type, and asks for tokens.
 */
import { setTimeout } from 'node:timers/promises'
import type { ScopePolicy } from '../clients/access.ts'
import type { AllowedApi, Client } from '../clients/clients.ts'
import type { MetadataHost } from '../clients/metadata-hosts.ts'
import type { RegistrationToken } from '../clients/registration-tokens.ts'
import { randomToken, sha256 } from '../crypto.ts'
import { ask, type Reply, wordsOf } from './probe-request.ts'
import type { Check } from './sign-in-probe.ts'

export type IssuerProbe = {
  issuer: string
  url: string
  scopes: string[]
  /** A client of the probe's own, good for this alone. */
  client: Pick<Client, 'id' | 'metadata'> & { apis: AllowedApi[] }
  /** Who could come. */
  hosts: MetadataHost[]
  tokens: RegistrationToken[]
  /** Names of clients that an admin lets call this API. */
  known: string[]
}

type Metadata = Record<string, unknown>

/** A running server looks for changes once a second. */
const noticeMs = 2000

/** `unreachable` when nobody answers at the issuer. */
export async function probeIssuer(
  probe: IssuerProbe,
): Promise<{ unreachable: string } | { checks: Check[] }> {
  const address = `${probe.issuer}/.well-known/oauth-authorization-server`
  let answer = await ask(address)
  if (answer.ok && isBehind(probe, parse(answer))) {
    await setTimeout(noticeMs)
    answer = await ask(address)
  }
  if (!answer.ok) return { unreachable: `${address}: ${answer.words}` }
  const metadata = parse(answer)
  const checks = [checkMetadata(probe, answer, metadata), checkWayIn(probe, metadata)]
  if (metadata?.issuer !== probe.issuer) return { checks }
  return {
    checks: [...checks, await checkAuthorize(probe, metadata), await checkToken(probe, metadata)],
  }
}

/** Somebody opened a way a moment ago, and the server has not heard of it. */
function isBehind({ hosts, tokens }: IssuerProbe, found: Metadata): boolean {
  const open = hosts.length > 0 && found.client_id_metadata_document_supported !== true
  return open || (tokens.some(({ live }) => live) && found.registration_endpoint === undefined)
}

function checkMetadata({ issuer }: IssuerProbe, { status }: Reply, found: Metadata): Check {
  const check = 'authorization server metadata (RFC 8414)'
  const fix =
    'Give the server and this command the same ISSUER, and let the proxy pass the Host header on unchanged.'
  if (status !== 200) return { check, status: 'failed', detail: `it answers ${status}`, fix }
  if (found.issuer !== issuer) {
    return { check, status: 'failed', detail: `it names the issuer ${found.issuer}`, fix }
  }
  const pkce = found.code_challenge_methods_supported
  if (Array.isArray(pkce) && pkce.includes('S256')) return { check, status: 'ok', detail: issuer }
  return { check, status: 'failed', detail: 'it promises no PKCE by S256', fix }
}

/** A way is open when it is promised and leads to all scopes. */
function checkWayIn(probe: IssuerProbe, found: Metadata): Check {
  const check = 'clients can come'
  const { hosts, tokens, scopes, known, url } = probe
  // Without a scope there is nothing that an app could be let in for.
  const reaches = (list: ScopePolicy[]) =>
    scopes.length > 0 &&
    list.some(
      (entry) => entry.apis.includes(url) && scopes.every((scope) => entry.scopes.includes(scope)),
    )
  const byDocument = hosts.length > 0 && found.client_id_metadata_document_supported === true
  const live = tokens.filter((token) => token.live)
  const byToken = live.length > 0 && typeof found.registration_endpoint === 'string'
  const ways = [
    ...(byDocument && reaches(hosts) ? ['documents of allowed hosts'] : []),
    ...(byToken && reaches(live) ? ['registration by a token'] : []),
    ...(known.length > 0 ? [`made by an admin: ${known.slice(0, 5).join(', ')}`] : []),
  ]
  if (ways.length > 0) return { check, status: 'ok', detail: ways.join('; ') }
  const wanted = scopes.length > 0 ? ` --scope "openid ${scopes.join(' ')}" --api ${url}` : ''
  return {
    check,
    status: 'failed',
    detail:
      byDocument || byToken
        ? `what is open does not lead to ${scopes.join(' ') || 'an API without scopes'}`
        : 'no host is allowed, no registration token is open, and no client may call it',
    fix: `idp metadata-hosts add HOST${wanted}, or idp registration-tokens create NAME${wanted}`,
  }
}

async function checkAuthorize(probe: IssuerProbe, found: Metadata): Promise<Check> {
  const check = 'authorization request with resource and PKCE'
  const { client, url, scopes, issuer } = probe
  const [redirectUri = ''] = client.metadata.redirect_uris
  const request = new URL(String(found.authorization_endpoint))
  const parameters = {
    client_id: client.id,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: scopes.join(' ') || 'openid',
    resource: url,
    state: randomToken(16),
    code_challenge: sha256(randomToken(32)).toString('base64url'),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) request.searchParams.set(name, value)
  const answer = await ask(request.href)
  if (!answer.ok) return { check, status: 'failed', detail: answer.words }
  const target = answer.location === null ? null : URL.parse(answer.location, issuer)
  if (target?.origin === issuer && target.pathname.startsWith('/sign-in/')) {
    return { check, status: 'ok', detail: 'leads to the sign-in page' }
  }
  const error = target?.searchParams.get('error')
  const detail = error
    ? `${error} ${target?.searchParams.get('error_description') ?? ''}`.trim()
    : `answers ${answer.status}: ${wordsOf(answer)}`
  return { check, status: 'failed', detail, fix: `idp apis get ${url} shows what it offers.` }
}

/** A code that never was must fail for being no code, and not for how tokens are asked for. */
async function checkToken({ client, url }: IssuerProbe, found: Metadata): Promise<Check> {
  const check = 'token request with resource and code_verifier'
  const answer = await ask(String(found.token_endpoint), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: client.id,
      code: randomToken(32),
      redirect_uri: client.metadata.redirect_uris[0] ?? '',
      code_verifier: randomToken(32),
      resource: url,
    }),
  })
  if (!answer.ok) return { check, status: 'failed', detail: answer.words }
  const words = wordsOf(answer)
  if (answer.status === 400 && words.startsWith('invalid_grant')) {
    return { check, status: 'ok', detail: 'is understood' }
  }
  return { check, status: 'failed', detail: `${answer.status}: ${words}` }
}

function parse({ body }: Reply): Metadata {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Metadata) : {}
  } catch {
    return {}
  }
}
