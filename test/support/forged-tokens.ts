/**
 * The ways in which a JWT is taken for what it is not: each a token that differs from a good one in a single thing.
 * `resigned` is signed by the server's own key, so that what is refused is refused for that thing and not for its key.
 */
import { createHmac, createPublicKey, sign } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, importJWK, SignJWT } from 'jose'
import { createKeyring } from '../../src/crypto.ts'
import { loadSigningKeys } from '../../src/oidc/signing-keys.ts'
import { type Claims, createKey } from './client-keys.ts'
import type { TestServer } from './server.ts'

export type Forger = {
  /** The same token with these changes; undefined leaves a member out. */
  resigned(token: string, claims?: Claims, header?: Claims): Promise<string>
  /** By name; all of them have to be refused. */
  forgeries(token: string): Promise<[string, string][]>
}

export async function createForger({ database, config }: TestServer): Promise<Forger> {
  const { keys } = await loadSigningKeys(database.db, createKeyring(config.secretKeys))
  const find = (kid: string | undefined) => {
    const key = keys.find((known) => known.kid === kid)
    if (!key) throw new Error(`no key ${kid}`)
    return key
  }

  async function resigned(token: string, claims: Claims = {}, header: Claims = {}) {
    const before = decodeProtectedHeader(token)
    const key = find(before.kid)
    return new SignJWT(defined({ ...decodeJwt(token), ...claims }))
      .setProtectedHeader(defined({ ...before, ...header }) as { alg: string })
      .sign(await importJWK(key as never, key.alg))
  }

  async function forgeries(token: string): Promise<[string, string][]> {
    const [head = '', body = '', signature = ''] = token.split('.')
    const header = decodeProtectedHeader(token)
    const claims = decodeJwt(token)
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const stranger = await createKey(header.alg)
    const publicKey = createPublicKey({ key: find(header.kid) as never, format: 'jwk' })
    const byPublicKey = (key: string | Buffer) => {
      const start = `${encode({ ...header, alg: 'HS256' })}.${body}`
      return `${start}.${createHmac('sha256', key).update(start).digest('base64url')}`
    }
    // By hand: jose signs no header that it would not understand.
    const signedCritical = () => {
      const start = `${encode({ ...header, crit: ['x'], x: 1 })}.${body}`
      const input = { key: find(header.kid), format: 'jwk', dsaEncoding: 'ieee-p1363' } as const
      return `${start}.${sign('sha256', Buffer.from(start), input as never).toString('base64url')}`
    }
    const now = Math.floor(Date.now() / 1000)
    const other = keys.find(({ alg, kid }) => alg !== header.alg && kid !== header.kid)
    return [
      ['alg none', `${encode({ ...header, alg: 'none' })}.${body}.`],
      ['no signature', `${head}.${body}.`],
      ['half a signature', `${head}.${body}.${signature.slice(0, signature.length / 2)}`],
      [
        'HS256 with the public key as PEM',
        byPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
      ],
      [
        'HS256 with the public key as DER',
        byPublicKey(publicKey.export({ type: 'spki', format: 'der' })),
      ],
      ['other claims', `${head}.${encode({ ...claims, sub: 'somebody' })}.${signature}`],
      ['a key of a stranger', await stranger.sign({ ...claims }, { ...header })],
      [
        'its own key in the header',
        await stranger.sign({ ...claims }, { ...header, jwk: stranger.publicJwk }),
      ],
      ['a kid that is nobody\u2019s', await resigned(token, {}, { kid: 'nobody' })],
      ['the kid of another algorithm', await resigned(token, {}, { kid: other?.kid })],
      ['an unknown critical header', signedCritical()],
      ['another typ', await resigned(token, {}, { typ: 'logout+jwt' })],
      ['another issuer', await resigned(token, { iss: 'https://other.example.com' })],
      ['no issuer', await resigned(token, { iss: undefined })],
      ['no subject', await resigned(token, { sub: undefined })],
      ['another audience', await resigned(token, { aud: 'https://other.example.com' })],
      ['no audience', await resigned(token, { aud: undefined })],
      ['no end', await resigned(token, { exp: undefined })],
      ['past its end', await resigned(token, { exp: now - 60 })],
      ['before its beginning', await resigned(token, { nbf: now + 600 })],
    ]
  }

  return { resigned, forgeries }
}

function defined(claims: Claims): Claims {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}
