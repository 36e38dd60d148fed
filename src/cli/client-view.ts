/** How a client looks: to programs (RFC 7591 names and a few of ours) and to people. */
import { type Client, wholeScope } from '../clients/clients.ts'
import { usesSecret } from '../clients/metadata.ts'
import { findPreset, presetSetup } from '../clients/presets.ts'
import { policyJson, protocolFields, protocolNotes } from './client-protocol-view.ts'
import type { Output } from './output.ts'

/** `secret` is known only right after it was made. */
export function clientJson(client: Client, secret?: string): Record<string, unknown> {
  const { metadata, apis } = client
  const scope = wholeScope(client)
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    ...inOrder({ ...metadata, ...(scope === '' ? {} : { scope }) }),
    preset: client.preset,
    ...cameJson(client),
    pkce: client.pkceRequired ? 'required' : 'optional',
    ...policyJson(client),
    first_party: client.firstParty,
    disabled: client.disabledAt !== null,
    apis: apis.map(({ identifier }) => identifier),
  }
}

function cameJson({ registeredWith }: Client): Record<string, unknown> {
  return registeredWith ? { registered_by: 'itself', registration_token: registeredWith.name } : {}
}

function howItCame({ registeredWith }: Client): string {
  return registeredWith ? `by itself, with the token “${registeredWith.name}”` : 'by an admin'
}

/** What one looks for first, first; the database keeps no order. */
const order = [
  'client_name',
  'client_uri',
  'application_type',
  'redirect_uris',
  'post_logout_redirect_uris',
  'initiate_login_uri',
  'backchannel_logout_uri',
  'backchannel_logout_session_required',
  'frontchannel_logout_uri',
  'frontchannel_logout_session_required',
  'scope',
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
]

function inOrder(metadata: Record<string, unknown>): Record<string, unknown> {
  const names = [...order.filter((name) => name in metadata), ...Object.keys(metadata).toSorted()]
  return Object.fromEntries(names.map((name) => [name, metadata[name]]))
}

export function showClient(out: Output, client: Client, issuer: string, secret?: string): void {
  const { metadata } = client
  out.fields([
    ['Name', client.name],
    ['Client ID', client.id],
    ['Client secret', secret],
    ['Issuer', issuer],
    ['Preset', client.preset],
    ['Came', howItCame(client)],
    ['Status', client.disabledAt ? `disabled since ${stamp(client.disabledAt)}` : 'enabled'],
    ['App', metadata.client_uri],
    ['Redirect URIs', metadata.redirect_uris],
    ['Begins sign-ins at', metadata.initiate_login_uri],
    ['After sign-out', metadata.post_logout_redirect_uris],
    ['Told at sign-out', describeLogout(metadata)],
    ['Scopes', wholeScope(client)],
    ['APIs', client.apis.map(({ identifier }) => identifier)],
    ['Authentication', metadata.token_endpoint_auth_method],
    ['PKCE', client.pkceRequired ? 'required' : 'optional'],
    ['ID token', metadata.id_token_signed_response_alg ?? 'RS256'],
    ...protocolFields(client),
    ['First party', client.firstParty ? 'yes: nobody is asked for consent' : 'no'],
    ['Secrets', secret === undefined ? describeSecrets(client) : []],
    ['Created', stamp(client.createdAt)],
  ])
}

/** What to paste on the app's side, on stdout; the notes are words. */
export function showSetup(out: Output, client: Client, issuer: string, secret?: string): void {
  const setup = setupOf(client, issuer, secret)
  if (!setup) return
  out.raw(
    `\n${out.style('dim', `For the app's side (preset ${client.preset}):`)}\n\n${setup.setup}`,
  )
  for (const note of [...setup.notes, ...protocolNotes(client, issuer)]) out.say(`Note: ${note}`)
}

export function setupOf(client: Client, issuer: string, secret?: string) {
  const preset = findPreset(client.preset)
  return (
    preset &&
    presetSetup(preset, {
      issuer,
      clientId: client.id,
      clientSecret: usesSecret(client.metadata) ? secret : '(none)',
      metadata: { ...client.metadata, scope: wholeScope(client) },
    })
  )
}

/** To the minute, in UTC, so that two people at two places read the same. */
export function stamp(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** An app that is told in no way keeps its own session. */
function describeLogout(metadata: Client['metadata']): string[] {
  const { backchannel_logout_uri: back, frontchannel_logout_uri: front } = metadata
  if (!metadata.grant_types.includes('authorization_code')) return []
  const ways = [
    ...(back ? [`by us (back-channel): ${back}`] : []),
    ...(front ? [`by the browser (front-channel): ${front}`] : []),
  ]
  return ways.length > 0 ? ways : ['no: it keeps its own session']
}

function describeSecrets({ secrets }: Client): string[] {
  return secrets.map(
    ({ createdAt, expiresAt }) =>
      `of ${stamp(createdAt)}${expiresAt ? `, works until ${stamp(expiresAt)}` : ''}`,
  )
}
