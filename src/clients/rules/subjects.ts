/** Rules for what a client calls people by: the same `sub` as every client, or one of its sector alone. */
import type { ClientMetadata } from '../metadata.ts'
import { type Problem, shorten } from './problem.ts'
import { isLoopbackHost } from './uris.ts'

export function checkSubjects(metadata: ClientMetadata): Problem[] {
  const { subject_type: type, sector_identifier_uri: sector, redirect_uris: redirects } = metadata
  const problem = (field: string, code: string, message: string, fix: string): Problem[] => [
    { field, code, message, fix },
  ]
  if (type !== undefined && type !== 'public' && type !== 'pairwise') {
    return problem(
      'subject_type',
      'subject_type_unknown',
      `is ${shorten(type)}`,
      'Use public or pairwise.',
    )
  }
  if (type !== 'pairwise') {
    if (sector === undefined) return []
    return problem(
      'sector_identifier_uri',
      'sector_unused',
      'is given, but the client calls people by the same name as everybody',
      'Use --subject pairwise, or leave it out.',
    )
  }
  if (!metadata.grant_types.includes('authorization_code')) {
    return problem(
      'subject_type',
      'subject_type_unused',
      'is pairwise, but no person signs in to this client',
      'Leave it out.',
    )
  }
  if (sector !== undefined) {
    if (URL.parse(sector)?.protocol === 'https:') return []
    return problem(
      'sector_identifier_uri',
      'uri_insecure',
      `${shorten(sector)} is not an https address`,
      'Publish the list of redirect URIs as JSON under https (OpenID Connect Core §8.1).',
    )
  }
  const hosts = new Set(redirects.map((uri) => URL.parse(uri)?.host ?? ''))
  // Everybody's machine has the same name, and a private scheme has none.
  const own = [...hosts].every((host) => host !== '' && !isLoopbackHost(hostnameOf(host)))
  if (hosts.size === 1 && own) return []
  return problem(
    'sector_identifier_uri',
    'sector_missing',
    own
      ? 'is missing, and the redirect URIs have several hosts'
      : 'is missing, and the redirect URIs have no host that is the app’s own',
    'Give --sector-identifier-uri with an https address that lists all redirect URIs as JSON.',
  )
}

/** Within one sector people have one name; undefined for clients that call them as everybody does. */
export function sectorOf(metadata: ClientMetadata): string | undefined {
  if (metadata.subject_type !== 'pairwise') return undefined
  return URL.parse(metadata.sector_identifier_uri ?? metadata.redirect_uris[0] ?? '')?.host
}

function hostnameOf(host: string): string {
  return new URL(`http://${host}`).hostname
}
