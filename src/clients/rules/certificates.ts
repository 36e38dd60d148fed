/** Rules for clients that prove themselves by a certificate (RFC 8705 §2). */
import { findSubjectFault, readAuthorities, tlsSubjects } from '../certificates.ts'
import type { ClientMetadata } from '../metadata.ts'
import type { ClientPolicy } from '../policy.ts'
import type { Problem } from './problem.ts'

export function checkCertificates(
  metadata: ClientMetadata,
  { certificateAuthorities }: ClientPolicy,
): Problem[] {
  const { token_endpoint_auth_method: method, jwks, jwks_uri: jwksUri } = metadata
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  const subjects = tlsSubjects.filter((name) => metadata[name] !== undefined)
  if (method !== 'tls_client_auth') {
    for (const name of subjects) {
      add(
        name,
        'certificate_unused',
        'is given, but the client does not prove itself by a certificate of an authority',
        'Use --auth-method tls_client_auth, or leave it out.',
      )
    }
    if (certificateAuthorities !== null) {
      add(
        'certificate_authorities',
        'certificate_unused',
        'are given, but the client does not prove itself by a certificate of an authority',
        'Use --auth-method tls_client_auth, or leave them out.',
      )
    }
  }
  if (method === 'self_signed_tls_client_auth' && jwksUri === undefined) {
    const certificates = jwks?.keys?.some(({ x5c }) => Array.isArray(x5c) && x5c.length > 0)
    if (jwks === undefined || !certificates) {
      add(
        'jwks',
        'certificate_missing',
        'holds no certificate',
        'Give keys with their certificate (x5c) by --jwks-file FILE, or --jwks-uri URL.',
      )
    }
  }
  if (method !== 'tls_client_auth') return problems

  if (subjects.length !== 1) {
    add(
      'tls_client_auth_subject_dn',
      'certificate_subject',
      subjects.length === 0 ? 'is missing' : `stands beside ${subjects.slice(1).join(', ')}`,
      'Give one of --tls-subject-dn, --tls-san-dns, --tls-san-uri, --tls-san-ip and --tls-san-email.',
    )
  }
  for (const name of subjects) {
    const fault = findSubjectFault(name, metadata[name] ?? '')
    if (fault) add(name, 'certificate_subject', fault.message, fault.fix)
  }
  if (certificateAuthorities === null) {
    add(
      'certificate_authorities',
      'authorities_missing',
      'are missing, so anybody could make a certificate with that name',
      'Give the certificate of whoever issues its certificates with --tls-ca-file FILE (PEM).',
    )
  } else if (!readAuthorities(certificateAuthorities)) {
    add(
      'certificate_authorities',
      'authorities_malformed',
      'are not certificates of authorities',
      'Give PEM certificates whose basic constraints say CA.',
    )
  }
  return problems
}
