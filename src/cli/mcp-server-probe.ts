/**
 * What an MCP client does at an MCP server before it has a token (MCP authorization, RFC 9728): it is turned away, told
 * where the metadata is, and reads it. Whatever the server names is called through the guard.
 */
import { ourAddress, ownAddress } from '../clients/resource-metadata.ts'
import { randomToken } from '../crypto.ts'
import type { OutgoingFetch, OutgoingRequest } from '../outgoing/outgoing.ts'
import { callGuarded, readAnywhere } from './guarded-request.ts'
import type { Check } from './sign-in-probe.ts'

export type ServerProbe = {
  /** The address of the MCP server, which is the identifier of its API. */
  url: string
  scopes: string[]
  issuer: string
  fetch: OutgoingFetch
}

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'idp', version: '1' },
  },
})

/** In the order in which a client meets them; a step that cannot be taken is not in the list. */
export async function probeServer(probe: ServerProbe): Promise<Check[]> {
  const check = 'MCP server asks for a token'
  const answer = await callGuarded(probe.fetch, probe.url, post())
  if (!answer.ok) return [{ check, status: 'failed', detail: answer.words, fix: answer.fix }]
  if (answer.status !== 401) return [{ check, ...notAsking(probe, answer.status) }]
  const { metadata, ...asks } = judgeChallenge(probe, answer.challenge)
  return [
    { check, ...asks },
    await checkMetadata(probe, metadata ?? ownAddress(probe.url) ?? probe.url),
    await checkForged(probe),
  ]
}

function notAsking(probe: ServerProbe, status: number): Omit<Check, 'check'> {
  const fix = `Answer every request without a good token with 401 and: ${header(probe)}`
  const works = status >= 200 && status < 300
  const detail = works ? `works without one (${status})` : `answers ${status}, not 401`
  const wrongPlace = status === 404 || status === 405
  return {
    status: 'failed',
    detail,
    fix: wrongPlace ? 'Give the address that MCP clients POST to, path included.' : fix,
  }
}

function judgeChallenge(
  probe: ServerProbe,
  challenge: string,
): Omit<Check, 'check'> & { metadata?: string } {
  const fix = `Send it with the 401: ${header(probe)}`
  const refuse = (detail: string) => ({ status: 'failed' as const, detail, fix })
  if (!/^(.*[, ])?(Bearer|DPoP)\b/i.test(challenge)) {
    return refuse(
      challenge === '' ? '401 without WWW-Authenticate' : 'WWW-Authenticate is not Bearer',
    )
  }
  const [, quoted, plain] =
    /\bresource_metadata\s*=\s*(?:"([^"]*)"|([^\s,]+))/i.exec(challenge) ?? []
  const metadata = quoted ?? plain
  if (metadata === undefined) return refuse('WWW-Authenticate names no resource_metadata')
  if (!/^https?:\/\//.test(metadata) || !URL.canParse(metadata)) {
    return refuse('resource_metadata is not an absolute address')
  }
  return { status: 'ok', detail: `401, with resource_metadata="${metadata}"`, metadata }
}

async function checkMetadata(probe: ServerProbe, address: string): Promise<Check> {
  const check = 'resource metadata (RFC 9728)'
  const { url, issuer, scopes } = probe
  const ours = ourAddress(url, issuer)
  const answer = await readAnywhere(probe, address)
  const refuse = (detail: string, fix: string): Check => ({ check, status: 'failed', detail, fix })
  const copy = `Serve what ${ours} says, or point to it: ${header(probe)}`
  if (!answer.ok) return refuse(`${address}: ${answer.words}`, answer.fix || copy)
  if (answer.status !== 200) return refuse(`${address} answers ${answer.status}`, copy)
  const found = parse(answer.body)
  if (!found) return refuse(`${address} is not a JSON object`, copy)
  if (found.resource !== url) {
    return refuse(
      `names the resource ${shown(found.resource)}`,
      `Make it ${JSON.stringify(url)}, letter by letter; clients refuse any other (RFC 9728 §3.3).`,
    )
  }
  const servers = listOf(found.authorization_servers)
  if (!servers.includes(issuer)) {
    return refuse(
      `names the authorization servers ${shown(found.authorization_servers)}`,
      `Make authorization_servers ${JSON.stringify([issuer])}.`,
    )
  }
  const offered = listOf(found.scopes_supported)
  const missing = scopes.filter((scope) => !offered.includes(scope))
  if (missing.length > 0) {
    return refuse(
      `scopes_supported lacks ${missing.join(' ')}`,
      `Clients ask for what stands there; make it ${JSON.stringify(scopes)}.`,
    )
  }
  const ways = found.bearer_methods_supported
  if (ways !== undefined && !listOf(ways).includes('header')) {
    return refuse(
      'bearer_methods_supported lacks header',
      'MCP clients send tokens in the header alone.',
    )
  }
  return { check, status: 'ok', detail: address }
}

/** A server that only looks whether there is a token lets everybody in. */
async function checkForged(probe: ServerProbe): Promise<Check> {
  const check = 'MCP server refuses tokens that are not ours'
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { url, issuer, scopes } = probe
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: issuer,
    aud: url,
    sub: 'nobody',
    scope: scopes.join(' '),
    iat: now,
    exp: now + 300,
  }
  const unsigned = `${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims)}.`
  for (const token of [randomToken(32), unsigned]) {
    const answer = await callGuarded(probe.fetch, url, post(token))
    if (!answer.ok) return { check, status: 'failed', detail: answer.words, fix: answer.fix }
    if (answer.status === 401) continue
    const kind = token === unsigned ? 'an unsigned token' : 'a made-up token'
    return {
      check,
      status: 'failed',
      detail: `answers ${answer.status} to ${kind}, not 401`,
      fix: `Verify the signature by ${issuer}/oauth2/jwks, and iss, aud and exp, before anything else.`,
    }
  }
  return { check, status: 'ok', detail: 'a made-up one and an unsigned one: 401' }
}

/** What the server has to send. */
function header({ url, issuer }: ServerProbe): string {
  return `WWW-Authenticate: Bearer resource_metadata="${ourAddress(url, issuer)}"`
}

function post(token?: string): OutgoingRequest {
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: initialize,
    // A stream would not end.
    statusOnly: true,
  }
}

function parse(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200)
}
