/** Rules for every address of a client: where people come back to, what we call, what consent links to. */
import type { ClientMetadata } from '../metadata.ts'
import { type Problem, shorten } from './problem.ts'
import { findRedirectUriFault, findWebUriFault, type UriFault } from './uris.ts'

const mostUris = 50
const webUriFields = [
  'logo_uri',
  'policy_uri',
  'tos_uri',
  'jwks_uri',
  'backchannel_logout_uri',
  'backchannel_client_notification_endpoint',
  'frontchannel_logout_uri',
] as const

export function checkAddresses(metadata: ClientMetadata): Problem[] {
  const app = metadata.client_uri
  // Addresses derived from a wrong one would only repeat its fault.
  const derived = (uri: string) => app !== undefined && findAppUriFault(app) && uri.startsWith(app)
  const own = {
    ...metadata,
    redirect_uris: metadata.redirect_uris.filter((uri) => !derived(uri)),
    post_logout_redirect_uris: metadata.post_logout_redirect_uris.filter((uri) => !derived(uri)),
  }
  return [
    ...checkUri('client_uri', app, findAppUriFault),
    ...(metadata.redirect_uris.length > 0 && own.redirect_uris.length === 0
      ? []
      : checkRedirects(own)),
    ...webUriFields.flatMap((field) => checkUri(field, metadata[field], findWebUriFault)),
    ...checkUri('initiate_login_uri', metadata.initiate_login_uri, findEncryptedFault),
    ...checkFrame(metadata),
  ]
}

/** OpenID Connect Dynamic Client Registration 1.0 §2: https, on this machine too. */
function findEncryptedFault(uri: string): UriFault | undefined {
  const fault = findWebUriFault(uri)
  if (fault || uri.startsWith('https:')) return fault
  return { code: 'uri_insecure', message: 'is not https', fix: 'Use https.' }
}

/** Other addresses are made by adding to it, so nothing may stand after its path. */
function findAppUriFault(uri: string): UriFault | undefined {
  const fault = findWebUriFault(uri)
  if (fault || !uri.includes('?')) return fault
  return {
    code: 'uri_query',
    message: 'has a query (?…)',
    fix: 'Give the address of the app alone.',
  }
}

function checkRedirects(metadata: ClientMetadata): Problem[] {
  const {
    application_type: type,
    redirect_uris: redirects,
    post_logout_redirect_uris: afterLogout,
  } = metadata
  const find = (uri: string) => findRedirectUriFault(uri, type)
  const problems = [
    ...checkList('redirect_uris', redirects),
    ...redirects.flatMap((uri) => checkUri('redirect_uris', uri, find)),
    ...checkList('post_logout_redirect_uris', afterLogout),
    ...afterLogout.flatMap((uri) => checkUri('post_logout_redirect_uris', uri, find)),
  ]
  if (metadata.grant_types.includes('authorization_code') && redirects.length === 0) {
    problems.push({
      field: 'redirect_uris',
      code: 'redirect_uri_missing',
      message: 'is empty, so nobody could come back to the app after signing in',
      fix: 'Add --redirect-uri with the address that the app documents, or --app-url where the preset knows it.',
    })
  }
  return problems
}

/** Front-Channel Logout 1.0 §2: the frame belongs to the app that people come back to. */
function checkFrame({
  frontchannel_logout_uri: uri,
  redirect_uris: redirects,
}: ClientMetadata): Problem[] {
  if (uri === undefined || findWebUriFault(uri)) return []
  const origins = redirects.map((redirect) => URL.parse(redirect)?.origin)
  if (origins.includes(new URL(uri).origin)) return []
  return [
    {
      field: 'frontchannel_logout_uri',
      code: 'uri_origin',
      message: `${shorten(uri)} is at another place than every redirect URI`,
      fix: 'Use the scheme, host and port of a redirect URI.',
    },
  ]
}

function checkList(field: string, uris: string[]): Problem[] {
  if (uris.length <= mostUris) return []
  return [
    {
      field,
      code: 'too_many_uris',
      message: `has ${uris.length} addresses`,
      fix: `Register at most ${mostUris}; use a client per installation.`,
    },
  ]
}

function checkUri(
  field: string,
  uri: string | undefined,
  find: (uri: string) => UriFault | undefined,
): Problem[] {
  if (uri === undefined) return []
  const fault = find(uri)
  if (!fault) return []
  return [{ ...fault, field, message: `${shorten(uri)} ${fault.message}` }]
}
