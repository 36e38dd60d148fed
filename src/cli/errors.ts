/** How a command ends badly: one sentence, what to do about it, and the exit code that programs read. */
import type { Problem } from '../clients/metadata.ts'
import { ConfigError } from '../config/config-error.ts'
import { StorageError, unavailability } from '../database/errors.ts'
import { AppError } from '../errors.ts'

/** Stable; named in the help and in the contract. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  refused: 5,
  unreachable: 6,
  /** Of `plan` alone: something would change. */
  planned: 10,
} as const

export class CliError extends Error {
  readonly exitCode: number
  /** What to do, a line each. */
  readonly fixes: string[]
  constructor(exitCode: number, message: string, fixes: string[] = [], options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.fixes = fixes
  }
}

/** Which flag an admin would use to mend a field. */
const flags: Record<string, string> = {
  client_name: 'NAME',
  client_uri: '--app-url',
  client_id: '--client-id',
  redirect_uris: '--redirect-uri',
  post_logout_redirect_uris: '--post-logout-redirect-uri',
  backchannel_logout_uri: '--backchannel-logout-uri',
  frontchannel_logout_uri: '--frontchannel-logout-uri',
  token_endpoint_auth_method: '--auth-method',
  token_endpoint_auth_signing_alg: '--auth-alg',
  tls_client_auth_subject_dn: '--tls-subject-dn',
  tls_client_auth_san_dns: '--tls-san-dns',
  tls_client_auth_san_uri: '--tls-san-uri',
  tls_client_auth_san_ip: '--tls-san-ip',
  tls_client_auth_san_email: '--tls-san-email',
  certificate_authorities: '--tls-ca-file',
  require_pushed_authorization_requests: '--require-par',
  require_signed_request_object: '--request-objects',
  request_object_signing_alg: '--request-object-alg',
  response_modes: '--response-mode',
  authorization_details_types: '--authorization-type',
  authorization_signed_response_alg: '--authorization-alg',
  id_token_signed_response_alg: '--id-token-alg',
  userinfo_signed_response_alg: '--userinfo-alg',
  introspection_signed_response_alg: '--introspection-alg',
  dpop_bound_access_tokens: '--dpop',
  access_token_lifetime: '--access-token-lifetime',
  refresh_idle: '--refresh-idle',
  refresh_total: '--refresh-total',
  refresh_rotation: '--refresh-rotation',
  subject_type: '--subject',
  default_acr_values: '--default-acr',
  userinfo_acr: '--userinfo-acr',
  userinfo_max_age: '--userinfo-max-age',
  authorization_challenge: '--authorization-challenge',
  initiate_login_uri: '--initiate-login-uri',
  sector_identifier_uri: '--sector-identifier-uri',
  scope: '--scope',
  api: '--api',
  audience: '--audience',
  issuer: 'ISSUER',
  client: '--client',
  alg: '--alg',
  max_lifetime: '--max-lifetime',
  pkce: '--pkce',
  jwks: '--jwks-file',
  jwks_uri: '--jwks-uri',
  identifier: 'IDENTIFIER',
  name: '--name',
  authorization_type: '--authorization-type',
  schema: '--schema',
  host: 'HOST',
  uses: '--uses',
  expires: '--expires',
  allowed_grant_types: '--grant-type',
  redirect_hosts: '--redirect-host',
  formatted: '--formatted-address',
  street_address: '--street-address',
  locality: '--locality',
  region: '--region',
  postal_code: '--postal-code',
  country: '--country',
  phone_number: '--phone',
  given_name: '--given-name',
  family_name: '--family-name',
  locale: '--locale',
  zoneinfo: '--zoneinfo',
  username: 'USERNAME',
  email: '--email',
  password: '--password-stdin',
  role: '--role',
  claim_names: '--claim-name',
  id: 'ID',
  provider_name: '--name',
  upstream_issuer: '--issuer',
  upstream_client_id: '--client-id',
  secret: '--client-secret-file',
  apple_team_id: '--team-id',
  apple_key_id: '--key-id',
  trust_email: '--trust-email',
  tenants: '--allowed-tenant',
  role_map: '--role-map',
}

/** Every problem with its field, its flag and its fix. */
export function refusal(what: string, problems: Problem[]): CliError {
  return new CliError(
    exitCodes.refused,
    what,
    problems.map(({ field, message, fix }) => `${fieldWithFlag(field)} ${message}.\n    ${fix}`),
  )
}

export function fieldWithFlag(field: string): string {
  const flag = flags[field]
  return flag === undefined ? field : `${field} (${flag})`
}

/** In words for a person at a terminal; undefined for a fault that we did not foresee. */
export function explain(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error
  if (error instanceof ConfigError) {
    return new CliError(exitCodes.usage, 'The settings are not usable.', error.problems, {
      cause: error,
    })
  }
  if (error instanceof StorageError) {
    const ours = error.reason === 'newer-schema' || error.reason === 'migration'
    return new CliError(ours ? exitCodes.failed : exitCodes.unreachable, error.message, [], {
      cause: error,
    })
  }
  const reason = unavailability(error)
  if (reason !== undefined) {
    const wrong = reason === 'credentials' ? 'does not let us in' : 'does not answer'
    const words = error instanceof Error ? error.message : String(error)
    return new CliError(
      exitCodes.unreachable,
      `The database ${wrong}: ${words || 'no connection'}`,
      ['Check DATABASE_URL, and that PostgreSQL is running and reachable from here.'],
      { cause: error },
    )
  }
  if (error instanceof AppError)
    return new CliError(exitCodeOf(error), error.message, [], { cause: error })
  const { code } = error as { code?: unknown }
  if (code === '23505') {
    return new CliError(
      exitCodes.conflict,
      'Somebody else took that name at the same moment.',
      [],
      { cause: error },
    )
  }
  return undefined
}

function exitCodeOf({ status }: AppError): number {
  if (status === 404) return exitCodes.notFound
  if (status === 409) return exitCodes.conflict
  return status >= 500 ? exitCodes.failed : exitCodes.refused
}
