/**
 * Walks what an app does to sign somebody in, from outside and over HTTP, up to where a person would type.
 * Nothing is changed; each step says what it found and what to do about it.
 */
import { type Client, wholeScope } from '../clients/clients.ts'
import { randomToken, sha256 } from '../crypto.ts'
import { ask, type Reply, wordsOf } from './probe-request.ts'
import { checkToken } from './token-probe.ts'

export type Check = {
  check: string
  status: 'ok' | 'failed' | 'warning' | 'skipped'
  detail: string
  fix?: string
}

type Discovery = { issuer?: string; authorization_endpoint?: string; token_endpoint?: string }

/** `unreachable` when nobody answers at the issuer: then there is nothing to be said about the client. */
export async function probe(
  client: Client,
  { issuer, secret }: { issuer: string; secret?: string | undefined },
): Promise<{ unreachable: string } | { checks: Check[] }> {
  const address = `${issuer}/.well-known/openid-configuration`
  const answer = await ask(address)
  if (!answer.ok) return { unreachable: `${address}: ${answer.words}` }
  const discovery = readDiscovery(answer)
  const checks = [
    checkStatus(client),
    checkDiscovery(answer, discovery, issuer),
    ...(discovery?.issuer === issuer ? await checkProtocol(client, discovery, secret) : []),
    ...(await checkAddresses(client)),
  ]
  return { checks }
}

function readDiscovery({ status, body }: Reply): Discovery | undefined {
  if (status !== 200) return undefined
  try {
    return JSON.parse(body) as Discovery
  } catch {
    return undefined
  }
}

function checkStatus(client: Client): Check {
  const check = 'client is enabled'
  if (client.disabledAt === null) return { check, status: 'ok', detail: client.id }
  const fix = `idp clients enable ${client.id}`
  return { check, status: 'failed', detail: 'it is disabled, so every request is refused', fix }
}

function checkDiscovery({ status }: Reply, found: Discovery | undefined, issuer: string): Check {
  const check = 'discovery names our issuer'
  if (found?.issuer === issuer) return { check, status: 'ok', detail: issuer }
  const detail = found?.issuer
    ? `it says ${found.issuer}, the setting says ${issuer}`
    : `it answers ${status}`
  const fix =
    'Give the server and this command the same ISSUER, and let the proxy pass the Host header on unchanged.'
  return { check, status: 'failed', detail, fix }
}

async function checkProtocol(
  client: Client,
  discovery: Discovery,
  secret: string | undefined,
): Promise<Check[]> {
  const { authorization_endpoint: authorize = '', token_endpoint: token = '' } = discovery
  const checks: Check[] = []
  if (client.metadata.grant_types.includes('authorization_code')) {
    for (const uri of client.metadata.redirect_uris) {
      checks.push(await checkSignIn(client, authorize, uri))
    }
  }
  checks.push(await checkToken(client, token, secret))
  return checks
}

async function checkSignIn(client: Client, endpoint: string, redirectUri: string): Promise<Check> {
  const check = `sign-in for ${redirectUri}`
  const own = ownRequest(client)
  if (own) return { check, status: 'skipped', detail: `its requests are ${own} by the app itself` }
  const url = new URL(endpoint)
  const parameters = {
    client_id: client.id,
    response_type: 'code',
    scope: client.metadata.scope ?? wholeScope(client),
    redirect_uri: redirectUri,
    state: randomToken(16),
    nonce: randomToken(16),
    code_challenge: sha256(randomToken(32)).toString('base64url'),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters))
    if (value !== '') url.searchParams.set(name, value)
  const answer = await ask(url.href)
  if (!answer.ok) return { check, status: 'failed', detail: answer.words }
  return { check, ...judgeSignIn(answer, url.origin, redirectUri, client.id) }
}

/** Why nobody but the app can ask for authorization. */
function ownRequest({ metadata }: Client): string | undefined {
  if (metadata.require_signed_request_object) return 'signed'
  return metadata.require_pushed_authorization_requests ? 'pushed' : undefined
}

function judgeSignIn(
  answer: Reply,
  origin: string,
  redirectUri: string,
  id: string,
): Omit<Check, 'check'> {
  const { status, location } = answer
  const target = location === null ? null : URL.parse(location, origin)
  if (target && status >= 300 && status < 400) {
    if (target.origin === origin && target.pathname.startsWith('/sign-in/')) {
      return { status: 'ok', detail: 'leads to the sign-in page' }
    }
    const error = target.searchParams.get('error')
    if (error !== null && target.href.startsWith(redirectUri)) {
      const description = target.searchParams.get('error_description') ?? ''
      return {
        status: 'failed',
        detail: `sends the app an error: ${error} ${description}`.trim(),
        fix: fixFor(error, id),
      }
    }
    return {
      status: 'failed',
      detail: `leads to ${target.origin}${target.pathname}, not to the sign-in page`,
    }
  }
  return {
    status: 'failed',
    detail: `shows an error page (${status}): ${wordsOf(answer)}`,
    fix: `idp clients get ${id} shows what is registered.`,
  }
}

function fixFor(error: string, id: string): string {
  if (error === 'invalid_scope')
    return `idp clients update ${id} --scope "…" with what the app asks for`
  if (error === 'invalid_target') return `idp clients update ${id} --api IDENTIFIER`
  return `idp clients get ${id} shows what is registered`
}

/** Whether the app is there is its own business, so these only warn. */
async function checkAddresses({ metadata }: Client): Promise<Check[]> {
  const wanted = new Map<string, string>()
  if (metadata.client_uri) wanted.set('app answers', metadata.client_uri)
  const [redirect] = metadata.redirect_uris.filter((uri) => uri.startsWith('https:'))
  if (redirect && !metadata.client_uri) wanted.set('app answers', redirect)
  if (metadata.backchannel_logout_uri)
    wanted.set('back-channel logout answers', metadata.backchannel_logout_uri)
  const checks: Check[] = []
  for (const [check, uri] of wanted) {
    const answer = await ask(uri)
    if (answer.ok && answer.status < 500)
      checks.push({ check, status: 'ok', detail: `${uri} (${answer.status})` })
    else {
      const words = answer.ok ? `answers ${answer.status}` : answer.words
      checks.push({
        check,
        status: 'warning',
        detail: `${uri}: ${words}`,
        fix: 'Seen from here; people’s browsers may see it differently.',
      })
    }
  }
  return checks
}
