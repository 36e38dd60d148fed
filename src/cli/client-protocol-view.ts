/** How an app speaks the protocol, where it is another way than most: for programs and for people. */
import { readAuthorities, tlsSubjects } from '../clients/certificates.ts'
import type { Client } from '../clients/clients.ts'
import { backchannelGrant, deviceGrant } from '../clients/rules/grants.ts'

/** Rows for a person; empty ones are not shown. */
export function protocolFields(client: Client): [string, string | string[] | undefined][] {
  const { metadata } = client
  return [
    ['Profile', client.profile ?? undefined],
    ['Keys', metadata.jwks_uri ?? describeKeys(metadata.jwks)],
    ['Certificate', describeCertificate(client)],
    ['Requests', describeRequests(metadata)],
    ['Answers', describeAnswers(metadata)],
    ['Sign-in', describeSignIn(client)],
    ['Lets in', describeAccess(client)],
    [
      'Claims',
      Object.entries(client.claimNames ?? {}).map(([claim, name]) => `${claim} as ${name}`),
    ],
    ['Userinfo', signed(metadata.userinfo_signed_response_alg)],
    ['Introspection', signed(metadata.introspection_signed_response_alg)],
    ['Tokens', describeTokens(client)],
    ['People', describePeople(metadata)],
    ['Allowed', client.policyGrants.flatMap((grant) => allowedBy[grant] ?? [])],
    ['Grants', describeGrants(metadata)],
    ['Asks people', describeBackchannel(metadata)],
  ]
}

/** What stands in lists of its own, by grant type. */
const allowedBy: Record<string, string> = {
  'urn:ietf:params:oauth:grant-type:token-exchange': 'to exchange tokens (idp exchanges list)',
  'urn:ietf:params:oauth:grant-type:jwt-bearer': 'to bring assertions (idp issuers list)',
}

/** What the app has to do that most need not, a sentence each. */
export function protocolNotes({ metadata, profile }: Client, issuer: string): string[] {
  const { token_endpoint_auth_method: method } = metadata
  const audience = profile ? `${issuer} alone` : issuer
  return [
    ...(method === 'private_key_jwt'
      ? [`It signs an assertion for each request to us; the audience is ${audience}.`]
      : []),
    ...(method.endsWith('tls_client_auth') || metadata.tls_client_certificate_bound_access_tokens
      ? ['It comes with its certificate to the addresses under mtls_endpoint_aliases in discovery.']
      : []),
    ...(metadata.require_pushed_authorization_requests
      ? [
          `It pushes each request to ${issuer}/oauth2/par first, and sends people with the request_uri.`,
        ]
      : []),
    ...(metadata.require_signed_request_object
      ? ['It signs each request as a JWT, good for an hour at most.']
      : []),
    ...(metadata.dpop_bound_access_tokens
      ? ['It sends a DPoP proof with each token request; the first answer gives the nonce to use.']
      : []),
  ]
}

function describeKeys(jwks: Client['metadata']['jwks']): string[] {
  return (jwks?.keys ?? []).map(({ kid, kty, crv, alg }) =>
    [kid, kty, crv, alg].filter((part) => typeof part === 'string').join(' '),
  )
}

function describeCertificate({ metadata, certificateAuthorities }: Client): string[] {
  const named = tlsSubjects.filter((name) => metadata[name] !== undefined)
  const issuers = readAuthorities(certificateAuthorities ?? '') ?? []
  return [
    ...named.map((name) => `${name.replace('tls_client_auth_', '')} ${metadata[name]}`),
    ...issuers.map(({ subject, validTo }) => `issued by ${oneLine(subject)}, until ${validTo}`),
  ]
}

function describeRequests(metadata: Client['metadata']): string[] {
  const { request_object_signing_alg: alg, authorization_details_types: types } = metadata
  const required = metadata.require_signed_request_object
  return [
    ...(metadata.require_pushed_authorization_requests ? ['pushed (PAR), no others'] : []),
    ...(required || alg
      ? [`signed (JAR)${alg ? ` by ${alg}` : ''}${required ? ', no others' : ''}`]
      : []),
    ...(types ? [`in detail for ${types.join(', ') || 'nothing'}`] : []),
  ]
}

function describeAnswers(metadata: Client['metadata']): string[] {
  const { response_modes: modes, authorization_signed_response_alg: alg } = metadata
  return [...(modes ? [`by ${modes.join(', ')}`] : []), ...(alg ? [`as JWT signed by ${alg}`] : [])]
}

function describeTokens(client: Client): string[] {
  const { metadata, accessTokenSeconds: access } = client
  const { refreshIdleSeconds: idle, refreshTotalSeconds: total } = client
  return [
    ...(metadata.dpop_bound_access_tokens ? ['bound to a key of the app (DPoP)'] : []),
    ...(metadata.tls_client_certificate_bound_access_tokens ? ['bound to its certificate'] : []),
    ...(access === null ? [] : [`access tokens live ${span(access)}`]),
    ...(idle === null ? [] : [`refresh tokens live ${span(idle)} unused`]),
    ...(total === null ? [] : [`refresh tokens end ${span(total)} after the first`]),
    ...(client.refreshRotation ? [] : ['refresh tokens do not rotate']),
  ]
}

function describePeople(metadata: Client['metadata']): string | undefined {
  if (metadata.subject_type !== 'pairwise') return undefined
  const { sector_identifier_uri: sector } = metadata
  return `called by names of this app’s own (pairwise)${sector ? `, sector ${sector}` : ''}`
}

/** Where it is another way than by a person's browser. */
function describeGrants({ grant_types: grants }: Client['metadata']): string[] {
  return [
    ...(grants.includes(deviceGrant) ? ['by a code that people type elsewhere (device flow)'] : []),
    ...(grants.includes(backchannelGrant) ? ['by asking people on their own device (CIBA)'] : []),
  ]
}

function describeBackchannel(metadata: Client['metadata']): string[] {
  const {
    backchannel_token_delivery_mode: mode,
    backchannel_client_notification_endpoint: endpoint,
    backchannel_authentication_request_signing_alg: alg,
  } = metadata
  if (mode === undefined) return []
  return [
    mode === 'ping' ? `is told at ${endpoint} (ping)` : 'asks until they have decided (poll)',
    ...(alg ? [`by requests signed by ${alg}, no others`] : []),
  ]
}

function describeSignIn({ metadata, ...policy }: Client): string[] {
  const { userinfoAcr: acr, userinfoMaxAgeSeconds: age } = policy
  const { default_acr_values: wished } = metadata
  return [
    ...(wished ? [`asks for ${wished.join(', ')} unless it says otherwise`] : []),
    ...(policy.secondFactor ? [`second factor: ${policy.secondFactor}`] : []),
    ...(policy.secondFactors
      ? [`second factors that count: ${policy.secondFactors.join(', ') || 'none'}`]
      : []),
    ...(acr ? [`userinfo needs ${acr}`] : []),
    ...(age ? [`userinfo needs a sign-in of the last ${span(age)}`] : []),
    ...(policy.authorizationChallenge
      ? ['asks for passwords itself (authorization challenge)']
      : []),
  ]
}

function describeAccess({ access }: Client): string[] {
  if (!access) return []
  return [
    ...access.roles.map((role) => `who holds the role ${role}`),
    ...access.groups.map((group) => `who is in the group ${group}`),
  ]
}

function signed(alg: string | undefined): string | undefined {
  return alg && `as JWT signed by ${alg}`
}

/** In the largest unit that says it exactly. */
function span(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
  ] as const
  const [size, unit] = units.find(([each]) => seconds % each === 0) ?? [1, 's']
  return `${seconds / size} ${unit}`
}

function oneLine(subject: string): string {
  return subject.split('\n').toReversed().join(',')
}
