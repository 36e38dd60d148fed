/**
 * The FAPI 2.0 Security Profile and Message Signing as rules for a client: all of them hold, or it has no such
 * profile. What depends on a single request is checked there (src/oidc/client-assertions.ts, request-objects.ts).
 */
import type { ClientMetadata } from '../metadata.ts'
import type { ClientPolicy } from '../policy.ts'
import type { Problem } from './problem.ts'

/** FAPI 2.0 §5.4.1, for whatever a client signs and for whatever is signed for it. */
export const strongAlgorithms: readonly string[] = ['PS256', 'ES256', 'EdDSA']

const methods: readonly string[] = [
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
]

/** Grants that an admin allows beside the registration are none of a profile's either. */
export function checkGrantOfProfile({ id, profile }: { id: string } & ClientPolicy): Problem[] {
  if (profile === null) return []
  return [
    {
      field: 'profile',
      code: 'profile_broken',
      message: `of ${id} is ${profile}, which knows no grants but its own`,
      fix: 'Use another client for this, or take the profile from it with --no-profile.',
    },
  ]
}

export function checkProfile(
  metadata: ClientMetadata,
  { profile, refreshRotation, pkceRequired }: ClientPolicy & { pkceRequired: boolean },
): Problem[] {
  if (profile === null) return []
  const rules = [...securityRules, ...(profile === 'fapi2' ? [] : messageSigningRules)]
  const client = { ...metadata, refreshRotation, pkceRequired }
  return rules
    .filter(({ broken }) => broken(client))
    .map(({ field, message, fix }) => ({
      field,
      code: 'profile_broken',
      message: `${message}, which the profile ${profile} does not allow`,
      fix,
    }))
}

type Rule = {
  field: string
  broken(client: ClientMetadata & { refreshRotation: boolean; pkceRequired: boolean }): boolean
  message: string
  fix: string
}

const signs = (client: ClientMetadata) => client.grant_types.includes('authorization_code')

/** FAPI 2.0 §5.3.2.2 knows requests that are pushed and answered in a browser, and services; CIBA has a profile of its own. */
const grantsOfProfile: readonly string[] = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
]

const securityRules: Rule[] = [
  {
    field: 'grant_types',
    broken: (client) => client.grant_types.some((grant) => !grantsOfProfile.includes(grant)),
    message: 'goes past pushed requests',
    fix: `Use ${grantsOfProfile.join(', ')}, and another client for devices and the backchannel.`,
  },
  {
    field: 'token_endpoint_auth_method',
    broken: (client) => !methods.includes(client.token_endpoint_auth_method),
    message: 'is a secret or none',
    fix: 'Use --auth-method private_key_jwt with --jwks-file or --jwks-uri, or a certificate.',
  },
  {
    field: 'require_pushed_authorization_requests',
    broken: (client) => signs(client) && client.require_pushed_authorization_requests !== true,
    message: 'is off',
    fix: 'Use --require-par.',
  },
  {
    field: 'dpop_bound_access_tokens',
    broken: (client) =>
      !client.dpop_bound_access_tokens && !client.tls_client_certificate_bound_access_tokens,
    message: 'is off, and tokens are bound to no certificate either',
    fix: 'Use --dpop required or --certificate-bound.',
  },
  {
    field: 'pkce',
    broken: (client) => !client.pkceRequired,
    message: 'is optional',
    fix: 'Use --pkce required.',
  },
  {
    field: 'refresh_rotation',
    broken: (client) => client.refreshRotation,
    message: 'is on',
    fix: 'Use --refresh-rotation off.',
  },
  {
    field: 'redirect_uris',
    broken: (client) =>
      client.application_type === 'web' &&
      client.redirect_uris.some((uri) => !uri.startsWith('https:')),
    message: 'contains an address without https',
    fix: 'Use https.',
  },
  ...(
    [
      ['id_token_signed_response_alg', '--id-token-alg', 'RS256'],
      ['introspection_signed_response_alg', '--introspection-alg', 'RS256'],
      ['authorization_signed_response_alg', '--authorization-alg', 'RS256'],
      ['userinfo_signed_response_alg', '--userinfo-alg', undefined],
      ['token_endpoint_auth_signing_alg', '--auth-alg', undefined],
      ['request_object_signing_alg', '--request-object-alg', undefined],
      ['backchannel_authentication_request_signing_alg', '--backchannel-request-alg', undefined],
    ] as const
  ).map(
    ([field, flag, otherwise]): Rule => ({
      field,
      broken: (client) => {
        const alg = client[field] ?? otherwise
        return alg !== undefined && !strongAlgorithms.includes(alg)
      },
      message: 'is RS256',
      fix: `Use ${flag} ES256 or EdDSA.`,
    }),
  ),
]

const messageSigningRules: Rule[] = [
  {
    field: 'require_signed_request_object',
    broken: (client) => signs(client) && client.require_signed_request_object !== true,
    message: 'is off',
    fix: 'Use --request-objects required.',
  },
  {
    field: 'response_modes',
    broken: (client) =>
      signs(client) &&
      (client.response_modes === undefined ||
        client.response_modes.some((mode) => !mode.endsWith('jwt'))),
    message: 'allows answers without a signature',
    fix: 'Use --response-mode jwt.',
  },
]
