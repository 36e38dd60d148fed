/**
 * An authenticator in software, with its browser: answers as WebAuthn says, or with one thing wrong. Nothing of the
 * library that checks it is used here.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export type Wrong = {
  type?: string
  origin?: string
  crossOrigin?: boolean
  topOrigin?: string
  challenge?: string
  rpId?: string
  userPresent?: boolean
  userVerified?: boolean
  backupEligible?: boolean
  backedUp?: boolean
  alg?: number
  rawId?: string
  credentialId?: Buffer
  userHandle?: string | null
  counter?: number
  signature?: Buffer
  format?: string
  attestationObject?: Buffer
}

type CreationOptions = { challenge: string; rp: { id?: string }; user: { id: string } }
type RequestOptions = { challenge: string; rpId?: string }

export type Authenticator = ReturnType<typeof createAuthenticator>

/** `synced` is backup eligible, as passkeys of phones are. `counts`: its counter grows with each use. */
export function createAuthenticator(
  origin: string,
  { synced = true, counts = false }: { synced?: boolean; counts?: boolean } = {},
) {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const credentialId = randomBytes(32)
  let userHandle = ''
  let counter = 0
  return { credentialId, create, get }

  /** The browser's JSON after `navigator.credentials.create()`. */
  function create(options: CreationOptions, wrong: Wrong = {}): string {
    userHandle = options.user.id
    const id = wrong.credentialId ?? credentialId
    const clientData = clientDataOf('webauthn.create', options.challenge, wrong)
    const attested = Buffer.concat([
      Buffer.alloc(16),
      uint16(id.length),
      id,
      coseKey(keys.publicKey, wrong.alg),
    ])
    const authData = authenticatorData(options.rp.id ?? '', 0x40, attested, wrong)
    const object = cbor({ fmt: wrong.format ?? 'none', attStmt: {}, authData })
    return json(id, wrong, {
      clientDataJSON: encode(clientData),
      attestationObject: encode(wrong.attestationObject ?? object),
      transports: ['internal', 'hybrid'],
    })
  }

  /** The browser's JSON after `navigator.credentials.get()`. */
  function get(options: RequestOptions, wrong: Wrong = {}): string {
    if (counts) counter++
    const clientData = clientDataOf('webauthn.get', options.challenge, wrong)
    const authData = authenticatorData(options.rpId ?? '', 0, Buffer.alloc(0), wrong)
    const signed = Buffer.concat([authData, sha256(clientData)])
    return json(wrong.credentialId ?? credentialId, wrong, {
      clientDataJSON: encode(clientData),
      authenticatorData: encode(authData),
      signature: encode(wrong.signature ?? sign('sha256', signed, keys.privateKey)),
      userHandle: wrong.userHandle === undefined ? userHandle : wrong.userHandle,
    })
  }

  function clientDataOf(type: string, challenge: string, wrong: Wrong): Buffer {
    const data = {
      type: wrong.type ?? type,
      challenge: wrong.challenge ?? challenge,
      origin: wrong.origin ?? origin,
      crossOrigin: wrong.crossOrigin ?? false,
      ...(wrong.topOrigin ? { topOrigin: wrong.topOrigin } : {}),
    }
    return Buffer.from(JSON.stringify(data))
  }

  function authenticatorData(rpId: string, more: number, attested: Buffer, wrong: Wrong): Buffer {
    const { userPresent = true, userVerified = true } = wrong
    const { backupEligible = synced, backedUp = synced } = wrong
    const flags =
      more |
      (userPresent ? 0x01 : 0) |
      (userVerified ? 0x04 : 0) |
      (backupEligible ? 0x08 : 0) |
      (backedUp ? 0x10 : 0)
    const counted = Buffer.alloc(4)
    counted.writeUInt32BE(wrong.counter ?? counter)
    return Buffer.concat([sha256(wrong.rpId ?? rpId), Buffer.from([flags]), counted, attested])
  }
}

function json(id: Buffer, wrong: Wrong, response: Record<string, unknown>): string {
  return JSON.stringify({
    id: encode(id),
    rawId: wrong.rawId ?? encode(id),
    type: 'public-key',
    authenticatorAttachment: 'platform',
    clientExtensionResults: {},
    response,
  })
}

/** ES256 on P-256 (RFC 9053 §2.1), unless another algorithm is claimed. */
function coseKey(key: KeyObject, alg = -7): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  const coordinate = (text: string) =>
    Buffer.concat([Buffer.from([0x58, 32]), Buffer.from(text, 'base64url')])
  return Buffer.concat([
    Buffer.from([0xa5, 0x01, 0x02, 0x03]),
    negative(alg),
    Buffer.from([0x20, 0x01, 0x21]),
    coordinate(x),
    Buffer.from([0x22]),
    coordinate(y),
  ])
}

function negative(value: number): Buffer {
  const rest = -1 - value
  return rest < 24 ? Buffer.from([0x20 | rest]) : Buffer.concat([Buffer.from([0x39]), uint16(rest)])
}

/** As much of CBOR as an attestation object takes: texts, bytes, small maps. */
function cbor(value: string | Buffer | Record<string, unknown>): Buffer {
  if (typeof value === 'string')
    return Buffer.concat([head(0x60, value.length), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(0x40, value.length), value])
  const entries = Object.entries(value)
  return Buffer.concat([
    head(0xa0, entries.length),
    ...entries.flatMap(([key, inner]) => [cbor(key), cbor(inner as Buffer)]),
  ])
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([major | length])
  if (length < 256) return Buffer.from([major | 24, length])
  return Buffer.concat([Buffer.from([major | 25]), uint16(length)])
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function sha256(value: string | Buffer): Buffer {
  return createHash('sha256').update(value).digest()
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64url')
}
