/** The app's part of the protocol, checked at each answer: what is not as it should be throws. */
import { createHash, randomBytes } from 'node:crypto'
import type { Credentials } from './cast.ts'
import type { Answer } from './http.ts'
import type { Server, Visitor } from './target.ts'

export type Asked = { verifier: string; state: string; nonce: string; target: string }

export type Tokens = {
  access_token: string
  id_token?: string
  refresh_token?: string
  token_type: string
}

export const signInScope = 'openid profile email groups'
export const offlineScope = `${signInScope} offline_access`

const random = () => randomBytes(32).toString('base64url')

/** A new authorization request, with PKCE, state and nonce. */
export function ask({ cast }: Server, scope: string, more: Record<string, string> = {}): Asked {
  const verifier = random()
  const state = random()
  const nonce = random()
  const query = new URLSearchParams({
    client_id: cast.app.clientId,
    redirect_uri: cast.app.redirectUri,
    response_type: 'code',
    scope,
    state,
    nonce,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  })
  return { verifier, state, nonce, target: `/oauth2/authorize?${query}` }
}

/** The code in the redirect to the app. */
export function codeOf({ cast, origin }: Server, asked: Asked, location: string): string {
  if (!location.startsWith(`${cast.app.redirectUri}?`)) {
    throw new Error(`led to ${location.slice(0, 200)} and not to the app`)
  }
  const query = new URLSearchParams(location.slice(cast.app.redirectUri.length + 1))
  const code = query.get('code')
  if (!code || query.get('state') !== asked.state || query.get('iss') !== origin) {
    throw new Error(`came back without code, state or iss: ${query.get('error') ?? ''}`)
  }
  return code
}

export async function redeem(target: Server, asked: Asked, code: string): Promise<Tokens> {
  const tokens = await token(target, target.cast.app, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: target.cast.app.redirectUri,
    code_verifier: asked.verifier,
  })
  if (!tokens.id_token) throw new Error('no ID token')
  return tokens
}

/** The whole way for somebody who is signed in. */
export async function signInAgain(target: Server, { browser }: Visitor, scope: string) {
  const asked = ask(target, scope)
  const answer = await browser.get(asked.target)
  const code = codeOf(target, asked, locationOf(answer))
  return { asked, tokens: await redeem(target, asked, code) }
}

/** Rejects when no token comes. */
export async function token(
  target: Server,
  client: Credentials,
  fields: Record<string, string>,
): Promise<Tokens> {
  const answer = await post(target, '/oauth2/token', client, fields)
  if (answer.status !== 200) throw unexpected('token', answer)
  const tokens = JSON.parse(answer.body) as Tokens
  if (!tokens.access_token) throw new Error('no access token')
  return tokens
}

export async function introspect(
  target: Server,
  client: Credentials,
  value: string,
): Promise<{ active: boolean; sub?: string }> {
  const answer = await post(target, '/oauth2/introspect', client, { token: value })
  if (answer.status !== 200) throw unexpected('introspect', answer)
  return JSON.parse(answer.body) as { active: boolean; sub?: string }
}

export function post(
  { http }: Server,
  path: string,
  { clientId, secret }: Credentials,
  fields: Record<string, string>,
): Promise<Answer> {
  return http.send({
    method: 'POST',
    target: path,
    headers: {
      Authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(fields).toString(),
  })
}

export function locationOf(answer: Answer): string {
  const { location } = answer.headers
  if (location === undefined) throw unexpected('redirect', answer)
  return location
}

export function unexpected(what: string, { status, body }: Answer): Error {
  return new Error(`${what}: ${status} ${body.slice(0, 300)}`)
}
