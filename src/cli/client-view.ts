/** How a client looks to people, and what to paste on its side. */
import { type Client, wholeScope } from '../clients/clients.ts'
import { usesSecret } from '../clients/metadata.ts'
import { findPreset, presetSetup } from '../clients/presets.ts'
import { protocolFields, protocolNotes } from './client-protocol-view.ts'
import type { Output } from './output.ts'

function howItCame({ registeredWith }: Client): string {
  return registeredWith ? `by itself, with the token “${registeredWith.name}”` : 'by an admin'
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
