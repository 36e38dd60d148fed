/** X.509 certificates made on the spot (RFC 5280): authorities, and what they issue, or issue wrongly. */
import {
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'

export type Made = {
  certificate: X509Certificate
  /** Both as PEM. */
  cert: string
  key: string
  privateKey: KeyObject
  subject: Name
}

/** Most significant first: `[['O', 'Example'], ['CN', 'app']]`. */
type Name = [type: keyof typeof nameTypes, value: string][]

type Alternative = { dns?: string; uri?: string; ip?: string; email?: string }

export function makeCertificate(options: {
  subject: Name
  /** Without one it is signed by its own key. */
  issuer?: Made
  authority?: boolean
  alternatives?: Alternative[]
  /** Dotted object identifiers of extended key usages. */
  usages?: string[]
  validFrom?: Date
  validTo?: Date
}): Made {
  const { subject, issuer, authority = false, alternatives = [], usages = [] } = options
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { validFrom = daysAhead(-1), validTo = daysAhead(30) } = options
  const algorithm = seq(oid('1.2.840.10045.4.3.2'))
  const extensions = [
    seq(
      oid('2.5.29.19'),
      der(0x01, Buffer.from([0xff])),
      octets(seq(...(authority ? [der(1, Buffer.from([0xff]))] : []))),
    ),
    ...(alternatives.length > 0
      ? [seq(oid('2.5.29.17'), octets(seq(...alternatives.map(alternative))))]
      : []),
    ...(usages.length > 0 ? [seq(oid('2.5.29.37'), octets(seq(...usages.map(oid))))] : []),
  ]
  const body = seq(
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    nameOf(issuer?.subject ?? subject),
    seq(time(validFrom), time(validTo)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, seq(...extensions)),
  )
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey)
  const raw = seq(body, algorithm, der(3, Buffer.concat([Buffer.from([0]), signature])))
  const certificate = new X509Certificate(raw)
  return {
    certificate,
    cert: certificate.toString(),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    privateKey,
    subject,
  }
}

export function makeAuthority(name = 'Test Authority'): Made {
  return makeCertificate({ subject: [['CN', name]], authority: true })
}

export function daysAhead(days: number): Date {
  return new Date(Date.now() + days * 86_400_000)
}

const nameTypes = {
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  CN: '2.5.4.3',
  emailAddress: '1.2.840.113549.1.9.1',
  organizationIdentifier: '2.5.4.97',
} as const

function nameOf(name: Name): Buffer {
  return seq(
    ...name.map(([type, value]) =>
      der(0x31, seq(oid(nameTypes[type]), der(0x0c, Buffer.from(value)))),
    ),
  )
}

function alternative({ dns, uri, ip, email }: Alternative): Buffer {
  if (email !== undefined) return der(0x81, Buffer.from(email))
  if (dns !== undefined) return der(0x82, Buffer.from(dns))
  if (uri !== undefined) return der(0x86, Buffer.from(uri))
  return der(0x87, Buffer.from((ip ?? '').split('.').map(Number)))
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function seq(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function octets(content: Buffer): Buffer {
  return der(0x04, content)
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return der(0x06, Buffer.from(bytes))
}

/** GeneralizedTime. */
function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  return der(0x18, Buffer.from(text))
}
