/**
 * A client as its own document describes it (draft-ietf-oauth-client-id-metadata-document §4). The document was not
 * written for us: what we do not serve is left out, what we must not take is refused. Nobody here has checked the app.
 */
import type { Db } from '../database/connection.ts'
import { livingScopes, resolveAccess, type ScopePolicy } from './access.ts'
import type { StoredClient } from './clients.ts'
import { runEngineCheck } from './engine-check.ts'
import {
  completeMetadata,
  defaultScope,
  type GivenMetadata,
  readGivenMetadata,
} from './given-metadata.ts'
import { checkMetadata, type EngineCheck } from './metadata.ts'
import { noPolicy } from './policy.ts'
import type { Problem } from './rules/problem.ts'
import { isLoopbackHost } from './rules/uris.ts'
import { splitScope, standardScopes } from './scopes.ts'

/** Also the name of the preset of such clients. */
export const documentPreset = 'metadata-document'

const longestId = 500
/** A document proves nothing by a secret: everybody can read it. */
const methods = ['none', 'private_key_jwt', 'self_signed_tls_client_auth']
const grants = ['authorization_code', 'refresh_token']
const webUris = ['client_uri', 'logo_uri', 'policy_uri', 'tos_uri', 'jwks_uri'] as const

/**
 * The address of a document, as a client id (§3): https, with a path, without a query, and written as every parser
 * writes it, so that one document has one id. Undefined for anything else.
 */
export function parseDocumentUrl(clientId: string): URL | undefined {
  if (!clientId.startsWith('https://') || clientId.length > longestId) return undefined
  if (/[^\x21-\x7e]|[?#\\]/.test(clientId)) return undefined
  const url = URL.parse(clientId)
  const plain = url?.href === clientId && url.username === '' && url.password === ''
  return url && plain && url.pathname !== '/' ? url : undefined
}

/** `allowed` is what its host may ask for. Problems never hold a value of the document: whoever asks may not be its owner. */
export async function clientOfDocument(
  db: Db,
  { id, document, allowed }: { id: string; document: unknown; allowed: ScopePolicy },
  engineCheck: EngineCheck | undefined,
): Promise<{ ok: true; client: StoredClient } | { ok: false; reason: string }> {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return { ok: false, reason: 'is not a JSON object' }
  }
  const body = document as Record<string, unknown>
  const refused = refuseMember(id, body)
  if (refused) return { ok: false, reason: refused }
  const read = readGivenMetadata(body)
  if (!read.ok) return refuse(read.problems)
  const given = narrowed(read.given)
  const offered = defaultScope(given, await livingScopes(db, allowed), standardScopes)
  const asked = given.scope === undefined ? offered : splitScope(given.scope)
  const scope = asked.filter((name) => offered.includes(name))
  const access = await resolveAccess(db, {
    scope: scope.join(' '),
    apis: [],
    preferred: allowed.apis,
  })
  const metadata = completeMetadata(given, access.standard)
  const problems = [
    ...checkPlaces(id, metadata.redirect_uris, 'redirect_uris'),
    ...checkPlaces(id, metadata.post_logout_redirect_uris, 'post_logout_redirect_uris'),
    ...checkPlaces(id, [metadata.initiate_login_uri ?? id], 'initiate_login_uri'),
    ...access.problems,
    ...checkMetadata(metadata, { pkceRequired: true }),
  ]
  if (problems.length === 0) problems.push(...(await runEngineCheck(engineCheck, id, metadata)))
  if (problems.length > 0) return refuse(problems)
  return {
    ok: true,
    client: {
      ...noPolicy,
      id,
      name: metadata.client_name,
      preset: documentPreset,
      metadata: { ...metadata, client_id: id, client_id_issued_at: 0 },
      firstParty: false,
      pkceRequired: true,
      ignoresUnknownResource: false,
      apis: access.apis,
      policyGrants: [],
      registeredWith: null,
      access: null,
      secrets: [],
      authMethods: [metadata.token_endpoint_auth_method],
      disabledAt: null,
      createdAt: new Date(0),
      updatedAt: new Date(0),
    },
  }
}

function refuseMember(id: string, body: Record<string, unknown>): string | undefined {
  if (body.client_id !== id) return 'names another client_id than its own address'
  for (const field of ['client_secret', 'client_secret_expires_at']) {
    if (field in body) return `holds ${field}, which everybody could read`
  }
  const { token_endpoint_auth_method: method = 'none' } = body
  if (typeof method !== 'string' || !methods.includes(method)) {
    return `asks for a token_endpoint_auth_method other than ${methods.join(', ')}`
  }
  const insecure = webUris.find(
    (field) => body[field] !== undefined && !String(body[field]).startsWith('https://'),
  )
  return insecure && `has a ${insecure} that is not https`
}

/** Grants that we do not give to such clients are for another server; a native app need not say that it is one. */
function narrowed(given: GivenMetadata): GivenMetadata {
  const { grant_types: asked, redirect_uris: uris = [] } = given
  const { response_types: _, ...rest } = given
  const loopback = uris.some((uri) => uri.startsWith('http://'))
  return {
    ...rest,
    token_endpoint_auth_method: given.token_endpoint_auth_method ?? 'none',
    application_type: given.application_type ?? (loopback ? 'native' : 'web'),
    ...(asked ? { grant_types: asked.filter((grant) => grants.includes(grant)) } : {}),
  }
}

/** Who may write one document at a shared host must not send people to another place: its own host, or this machine. */
function checkPlaces(id: string, uris: string[], field: string): Problem[] {
  const { host } = new URL(id)
  const elsewhere = uris.some((uri) => {
    const url = URL.parse(uri)
    return url?.host !== host && !(url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  })
  if (!elsewhere) return []
  return [{ field, code: 'elsewhere', message: 'leads to another host', fix: 'Use its own host.' }]
}

function refuse(problems: Problem[]): { ok: false; reason: string } {
  const fields = [...new Set(problems.map(({ field, code }) => `${field} (${code})`))]
  return { ok: false, reason: `is refused for ${fields.slice(0, 8).join(', ')}` }
}
