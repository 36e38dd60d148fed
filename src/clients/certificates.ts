/**
 * Client certificates (RFC 8705 §2.1): who vouches for one, and whom it names. Whoever ended TLS may have looked at
 * nothing, so both are judged here, against what the client registered.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

export const tlsSubjects = [
  'tls_client_auth_subject_dn',
  'tls_client_auth_san_dns',
  'tls_client_auth_san_uri',
  'tls_client_auth_san_ip',
  'tls_client_auth_san_email',
] as const

export type TlsSubject = (typeof tlsSubjects)[number]

const pemBlock = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g
/** Extended key usage of RFC 5280 §4.2.1.12. */
const clientAuthentication = '1.3.6.1.5.5.7.3.2'

/** Undefined when the text holds anything but certificates of authorities, or none. */
export function readAuthorities(pem: string): X509Certificate[] | undefined {
  const blocks = pem.match(pemBlock) ?? []
  if (blocks.length === 0 || pem.replace(pemBlock, '').trim() !== '') return undefined
  try {
    const found = blocks.map((block) => new X509Certificate(block))
    return found.every(({ ca }) => ca) ? found : undefined
  } catch {
    return undefined
  }
}

/** Issued by one of the authorities, valid today, and not made for something else. */
export function isVouchedFor(
  certificate: X509Certificate,
  authorities: X509Certificate[],
  now: Date = new Date(),
): boolean {
  const isCurrent = (each: X509Certificate) => each.validFromDate <= now && now <= each.validToDate
  const { keyUsage } = certificate
  if (keyUsage !== undefined && !keyUsage.includes(clientAuthentication)) return false
  if (certificate.ca || !isCurrent(certificate)) return false
  return authorities.some(
    (authority) =>
      isCurrent(authority) &&
      certificate.checkIssued(authority) &&
      certificate.verify(authority.publicKey),
  )
}

/** Whether the certificate names whom the client registered, letter by letter but for host names. */
export function namesSubject(
  certificate: X509Certificate,
  property: TlsSubject,
  expected: string,
): boolean {
  if (property === 'tls_client_auth_subject_dn') {
    const registered = parseDn(expected)
    return registered !== undefined && sameDn(subjectOf(certificate), registered)
  }
  const names = alternativeNames(certificate)
  switch (property) {
    case 'tls_client_auth_san_dns':
      return names.some(
        ({ kind, value }) => kind === 'DNS' && value.toLowerCase() === expected.toLowerCase(),
      )
    case 'tls_client_auth_san_uri':
      return names.some(({ kind, value }) => kind === 'URI' && value === expected)
    case 'tls_client_auth_san_ip':
      return names.some(
        ({ kind, value }) => kind === 'IP Address' && canonicalIp(value) === canonicalIp(expected),
      )
    case 'tls_client_auth_san_email':
      return names.some(({ kind, value }) => kind === 'email' && value === expected)
  }
}

/** What is wrong with a registered name; undefined when a certificate could bear it. */
export function findSubjectFault(
  property: TlsSubject,
  value: string,
): { message: string; fix: string } | undefined {
  switch (property) {
    case 'tls_client_auth_subject_dn':
      return parseDn(value)
        ? undefined
        : {
            message: 'is not a distinguished name',
            fix: 'Write it as RFC 4514 does, such as CN=app,OU=payments,O=Example.',
          }
    case 'tls_client_auth_san_dns':
      return /^(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(value)
        ? undefined
        : { message: 'is not a host name', fix: 'Give one name without wildcards.' }
    case 'tls_client_auth_san_uri':
      return URL.canParse(value)
        ? undefined
        : { message: 'is not a URI', fix: 'Give it as it stands in the certificate.' }
    case 'tls_client_auth_san_ip':
      return isIP(value) > 0
        ? undefined
        : { message: 'is not an address', fix: 'Give one address.' }
    case 'tls_client_auth_san_email':
      return /^[^\s@,]+@[^\s@,]+$/.test(value)
        ? undefined
        : { message: 'is not an email address', fix: 'Give one address.' }
  }
}

/** Of one relative name the pairs `type=value`; most have one. In the order of RFC 4514: the last one first. */
type Dn = string[][]

/** Types that certificates and people write differently. */
const otherNames: Record<string, string> = {
  '2.5.4.5': 'serialnumber',
  '2.5.4.9': 'street',
  '2.5.4.97': 'organizationidentifier',
  '1.2.840.113549.1.9.1': 'emailaddress',
  e: 'emailaddress',
  email: 'emailaddress',
  s: 'st',
}

function parseDn(text: string): Dn | undefined {
  const dn = splitAt(text, ',').map((relative) => splitAt(relative, '+').map(parsePair))
  return dn.flat().includes(undefined) ? undefined : (dn as Dn)
}

function parsePair(text: string): string | undefined {
  const at = text.indexOf('=')
  const written = text.slice(0, at).trim().toLowerCase()
  const type = otherNames[written] ?? written
  const raw = text
    .slice(at + 1)
    .trimStart()
    .replace(/(?<!\\)\s+$/, '')
  // `#…` is an encoded value, of which there are many spellings.
  if (at < 1 || !/^[a-z0-9.-]+$/.test(type) || raw === '' || raw.startsWith('#')) return undefined
  return `${type}=${unescaped(raw)}`
}

/** `\,` and `\2C` both mean a comma (RFC 4514 §2.4). */
function unescaped(value: string): string {
  const bytes = value.replace(/((?:\\[0-9a-f]{2})+)/gi, (escaped) =>
    Buffer.from(escaped.replaceAll('\\', ''), 'hex').toString('utf8'),
  )
  return bytes.replace(/\\(.)/g, '$1')
}

/** At separators that no backslash stands before. */
function splitAt(text: string, separator: ',' | '+'): string[] {
  const parts = ['']
  for (const piece of text.match(/\\.?|[^\\]/gs) ?? []) {
    if (piece === separator) parts.push('')
    else parts[parts.length - 1] += piece
  }
  return parts
}

/** Node writes a subject a line each, the first one first, escaped as in RFC 2253. */
function subjectOf({ subject }: X509Certificate): Dn {
  const lines = subject.split('\n').toReversed()
  return lines.map((line) => line.split(/ \+ /).map((pair) => parsePair(pair) ?? pair))
}

function sameDn(a: Dn, b: Dn): boolean {
  const text = (dn: Dn) => JSON.stringify(dn.map((relative) => relative.toSorted()))
  return text(a) === text(b)
}

/** `DNS:a, URI:"b, c"`: Node quotes what could be mistaken for another name. */
function alternativeNames({ subjectAltName }: X509Certificate): { kind: string; value: string }[] {
  const found = (subjectAltName ?? '').matchAll(
    /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?=, |$)/g,
  )
  return [...found].map(([, kind = '', value = '']) => ({
    kind,
    value: value.startsWith('"') ? String(JSON.parse(value)) : value,
  }))
}

function canonicalIp(address: string): string {
  if (isIP(address) !== 6) return address
  return new URL(`http://[${address}]`).hostname
}
