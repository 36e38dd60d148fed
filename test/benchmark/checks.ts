/** What is looked at more closely than every answer is: signatures, and what a replay ends. */
import { createHash } from 'node:crypto'
import { createLocalJWKSet, type JWTVerifyOptions, jwtVerify } from 'jose'
import {
  type Asked,
  offlineScope,
  post,
  signInAgain,
  type Tokens,
  token,
  unexpected,
} from './app.ts'
import type { Target, Visitor } from './target.ts'

const keySets = new Map<string, ReturnType<typeof createLocalJWKSet>>()

/** Against the keys that the side publishes. */
export async function verifySignature(
  { http, origin }: Target,
  jwt: string,
  options: JWTVerifyOptions,
): Promise<Record<string, unknown>> {
  let keySet = keySets.get(origin)
  if (!keySet) {
    const { body } = await http.send({ target: '/oauth2/jwks' })
    keySet = createLocalJWKSet(JSON.parse(body))
    keySets.set(origin, keySet)
  }
  const { payload } = await jwtVerify(jwt, keySet, { issuer: origin, ...options })
  return payload
}

export async function checkIdToken(
  target: Target,
  { person }: Visitor,
  asked: Asked,
  tokens: Tokens,
): Promise<void> {
  const payload = await verifySignature(target, tokens.id_token ?? '', {
    audience: target.cast.app.clientId,
    algorithms: ['RS256'],
  })
  // At the token endpoint at_hash is optional (OpenID Connect Core §3.1.3.6).
  const half = createHash('sha256').update(tokens.access_token).digest().subarray(0, 16)
  const { sub, nonce, at_hash: hash = half.toString('base64url') } = payload
  if (sub !== person.id || nonce !== asked.nonce || hash !== half.toString('base64url')) {
    throw new Error('an ID token with another sub, nonce or at_hash')
  }
}

/** Gives the token that was spent. */
export async function refresh(target: Target, visitor: Visitor): Promise<string> {
  const spent = visitor.refreshToken ?? ''
  const { refresh_token } = await token(target, target.cast.app, {
    grant_type: 'refresh_token',
    refresh_token: spent,
  })
  if (!refresh_token || refresh_token === spent) throw new Error('the refresh token stayed')
  visitor.refreshToken = refresh_token
  return spent
}

/** A token whose successor was used is refused, and so is then every other of its family. */
export async function checkReplay(target: Target): Promise<void> {
  const { spare } = target
  spare.refreshToken = (await signInAgain(target, spare, offlineScope)).tokens.refresh_token
  const spent = await refresh(target, spare)
  await refresh(target, spare)
  for (const value of [spent, spare.refreshToken as string]) {
    const answer = await post(target, '/oauth2/token', target.cast.app, {
      grant_type: 'refresh_token',
      refresh_token: value,
    })
    if (answer.status !== 400 || !answer.body.includes('invalid_grant')) {
      throw unexpected('a replayed refresh token', answer)
    }
  }
}
