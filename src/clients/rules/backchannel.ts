/** Rules for clients that ask people elsewhere than in their browser (OpenID Connect CIBA Core 1.0 §4). */
import type { ClientMetadata } from '../metadata.ts'
import { backchannelGrant } from './grants.ts'
import { type Problem, shorten } from './problem.ts'

export const deliveryModes = ['poll', 'ping'] as const

export function checkBackchannel(metadata: ClientMetadata): Problem[] {
  const {
    backchannel_token_delivery_mode: mode,
    backchannel_client_notification_endpoint: endpoint,
    backchannel_authentication_request_signing_alg: alg,
  } = metadata
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  if (!metadata.grant_types.includes(backchannelGrant)) {
    for (const field of ['token_delivery_mode', 'client_notification_endpoint'] as const) {
      if (metadata[`backchannel_${field}`] === undefined) continue
      add(
        `backchannel_${field}`,
        'backchannel_unused',
        'is set, but the client does not ask people on another device',
        'Leave it out, or add --grant-type ciba.',
      )
    }
    return problems
  }
  if (metadata.token_endpoint_auth_method === 'none') {
    add(
      'token_endpoint_auth_method',
      'auth_method_public',
      'is none, but a client that may disturb people must prove who it is',
      'Use client_secret_basic or private_key_jwt.',
    )
  }
  if (mode === undefined || !(deliveryModes as readonly string[]).includes(mode)) {
    add(
      'backchannel_token_delivery_mode',
      'delivery_mode_unknown',
      mode === undefined ? 'is missing' : `is ${shorten(mode)}`,
      'Use --backchannel-delivery poll or ping; tokens are never pushed.',
    )
  }
  if (mode === 'ping' && endpoint === undefined) {
    add(
      'backchannel_client_notification_endpoint',
      'notification_endpoint_missing',
      'is missing, so the client could not be told',
      'Give --backchannel-notification-endpoint, or use --backchannel-delivery poll.',
    )
  }
  if (endpoint !== undefined && URL.parse(endpoint)?.protocol !== 'https:') {
    add(
      'backchannel_client_notification_endpoint',
      'uri_insecure',
      'is not an https address, on this machine neither (CIBA Core §4)',
      'Use https.',
    )
  }
  if (alg !== undefined && !metadata.jwks && !metadata.jwks_uri) {
    add(
      'jwks',
      'jwks_missing',
      'is missing, so nobody could verify its requests',
      'Give the public keys with --jwks-file FILE or --jwks-uri URL.',
    )
  }
  return problems
}
