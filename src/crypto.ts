/**
 * The few cryptographic acts of the house: random ids, hashes for what is random, keyed hashes for what
 * can be guessed, and sealing for what must be read again. Signatures belong to jose and the engine.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto'

/** Enough for random values of 128 bits and more; use `Keyring.mac` for anything a person types. */
export function sha256(value: string | Buffer): Buffer {
  return hash('sha256', value, 'buffer')
}

/** Drawn in advance: asking the system for sixteen bytes at a time costs more than what is done with them. */
const drawn = Buffer.alloc(4096)
let unused = 0

/** `bytes` random bytes as base64url: 32 bytes give 43 characters of `[A-Za-z0-9_-]`. */
export function randomToken(bytes = 32): string {
  if (bytes > drawn.length) return randomBytes(bytes).toString('base64url')
  if (unused < bytes) {
    randomFillSync(drawn)
    unused = drawn.length
  }
  const begin = drawn.length - unused
  unused -= bytes
  const token = drawn.toString('base64url', begin, begin + bytes)
  drawn.fill(0, begin, begin + bytes)
  return token
}

/** A UUID version 7 (RFC 9562 §5.7): random, yet new rows land side by side in the index. */
export function newId(): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** Compares in constant time; different lengths are simply unequal. */
export function equalBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

export type Keyring = {
  /** Keyed hash under the newest key. `purpose` and every part keep a value from serving elsewhere. */
  mac(purpose: string, ...parts: string[]): Buffer
  /** The same under every key, newest first: what an older key made still matches. */
  macs(purpose: string, ...parts: string[]): Buffer[]
  /** AES-256-GCM under the newest key, bound to `row`: moved to another row it does not open. */
  seal(purpose: string, row: string, plain: string | Buffer): Buffer
  /** Throws when no key opens it, the row is another one, or a byte was changed. */
  open(purpose: string, row: string, sealed: Buffer): Buffer
}

const nonceBytes = 12
const tagBytes = 16

/** Derives everything from the root secrets (`SECRET_KEY`), newest first: the first seals, all open. */
export function createKeyring(secrets: string[]): Keyring {
  if (secrets.length === 0) throw new Error('a keyring needs at least one secret')
  const roots = secrets.map((secret) => {
    const derived = new Map<string, KeyObject>()
    return (purpose: string): KeyObject => {
      const known = derived.get(purpose)
      if (known) return known
      // As an object: a bare buffer is imported anew by each use, which costs five times the hash.
      const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `idp ${purpose}`, 32)))
      derived.set(purpose, key)
      return key
    }
  })
  const newest = roots[0] as (purpose: string) => KeyObject
  const macWith = (root: (purpose: string) => KeyObject, purpose: string, parts: string[]) =>
    createHmac('sha256', root(`mac ${purpose}`))
      .update(JSON.stringify(parts))
      .digest()

  return {
    mac: (purpose, ...parts) => macWith(newest, purpose, parts),
    macs: (purpose, ...parts) => roots.map((root) => macWith(root, purpose, parts)),
    seal(purpose, row, plain) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', newest(`seal ${purpose}`), nonce)
      cipher.setAAD(Buffer.from(row))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body])
    },
    open(purpose, row, sealed) {
      for (const root of roots) {
        const opened = tryOpen(root(`seal ${purpose}`), row, sealed)
        if (opened) return opened
      }
      throw new Error(`sealed value does not open (${purpose})`)
    },
  }
}

function tryOpen(key: KeyObject, row: string, sealed: Buffer): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
  decipher.setAAD(Buffer.from(row))
  decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes))
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(nonceBytes + tagBytes)),
      decipher.final(),
    ])
  } catch {
    return undefined
  }
}
