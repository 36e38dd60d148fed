/**
 * An app of somebody else's, played by plain fetch: begins authorization requests with PKCE, state and nonce, redeems
 * what comes back, and speaks to the other endpoints. What it is answered is returned as it came, refusals too.
 */
import { expect } from 'vitest'
import type { ClientInput } from '../../src/clients/create-client.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import type { Page } from '../../src/demo/visitor.ts'
import type { TestServer } from './server.ts'

export type Parameters = Record<string, string | undefined>

/** One authorization request, with what the app remembers of it. */
export type Request = {
  url: string
  parameters: URLSearchParams
  state: string
  nonce: string
  verifier: string
}

export type Answer = {
  status: number
  headers: Headers
  body: Record<string, unknown> & Partial<Record<TokenMember, string>>
}
type TokenMember =
  | 'access_token'
  | 'refresh_token'
  | 'id_token'
  | 'scope'
  | 'error'
  | 'error_description'

export type App = {
  id: string
  secret: string | undefined
  redirectUri: string
  /** `parameters` replace the usual ones; undefined leaves one out. */
  begin(parameters?: Parameters): Request
  /** The query that came back to the redirect URI; checks `state` and `iss` (OA-11). */
  answerOf(request: Request, page: Pick<Page, 'url'>): Record<string, string>
  redeem(request: Request, code: string | undefined, changes?: Parameters): Promise<Answer>
  refresh(token: string | undefined, changes?: Parameters): Promise<Answer>
  /** POST to an endpoint below `/oauth2/`, authenticated as the app. */
  post(endpoint: string, fields: Parameters, headers?: Record<string, string>): Promise<Answer>
  userinfo(accessToken: string | undefined): Promise<Answer>
  introspect(token: string | undefined): Promise<Answer>
  revoke(token: string | undefined): Promise<Answer>
  logoutUrl(parameters?: Parameters): string
}

let count = 0

/** Registers an app of this preset; `generic` and third-party unless said otherwise. */
export async function createApp(
  { origin, database }: Pick<TestServer, 'origin' | 'database'>,
  input: Partial<ClientInput> = {},
): Promise<App> {
  const name = input.name ?? `App ${++count}`
  const redirectUri = input.redirectUris?.[0] ?? `https://app${count}.example.com/cb`
  const { preset = 'generic' } = input
  const uris = preset === 'service' ? [] : [redirectUri]
  const made = await createClient(
    database.db,
    { redirectUris: uris, ...input, name, preset },
    { actor: { kind: 'operator' } },
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  const { client, secret } = made
  const { token_endpoint_auth_method: method, scope } = client.metadata
  return playApp({ origin, id: client.id, secret, method, scope, redirectUri })
}

/** The same app as another node answers it, or with another secret. */
export function playApp(app: {
  origin: string
  id: string
  secret: string | undefined
  method: string
  scope?: string | undefined
  redirectUri: string
}): App {
  const { origin, id, secret, redirectUri } = app

  function begin(parameters: Parameters = {}): Request {
    const verifier = randomToken()
    const all: Parameters = {
      client_id: id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: app.scope ?? 'openid',
      state: randomToken(12),
      nonce: randomToken(12),
      code_challenge: sha256(verifier).toString('base64url'),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const query = defined(all)
    return {
      url: `${origin}/oauth2/authorize?${query}`,
      parameters: query,
      state: all.state ?? '',
      nonce: all.nonce ?? '',
      verifier,
    }
  }

  async function post(
    endpoint: string,
    fields: Parameters,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const basic = app.method === 'client_secret_basic'
    const own: Parameters = basic ? {} : { client_id: id, client_secret: secret }
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
    const response = await fetch(`${origin}/oauth2/${endpoint}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { ...(basic ? { authorization } : {}), ...headers },
      body: defined({ ...own, ...fields }),
    })
    return toAnswer(response)
  }

  return {
    id,
    secret,
    redirectUri,
    begin,
    post,
    answerOf(request, page) {
      expect(page.url.startsWith(redirectUri), `${page.url} leads to the app`).toBe(true)
      const query = Object.fromEntries(new URL(page.url).searchParams)
      expect(query).toMatchObject({ state: request.state, iss: origin })
      return query
    },
    redeem: (request, code, changes = {}) =>
      post('token', {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: request.verifier,
        ...changes,
      }),
    refresh: (token, changes = {}) =>
      post('token', { grant_type: 'refresh_token', refresh_token: token, ...changes }),
    userinfo: async (accessToken) =>
      toAnswer(
        await fetch(`${origin}/oauth2/userinfo`, {
          headers: { authorization: `Bearer ${accessToken}` },
        }),
      ),
    introspect: (token) => post('introspect', { token }),
    revoke: (token) => post('revoke', { token }),
    logoutUrl: (parameters = {}) => `${origin}/oauth2/logout?${defined(parameters)}`,
  }
}

async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text()
  const json = response.headers.get('content-type')?.includes('json') && text !== ''
  return {
    status: response.status,
    headers: response.headers,
    body: json ? (JSON.parse(text) as Answer['body']) : { text },
  }
}

function defined(parameters: Parameters): URLSearchParams {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return new URLSearchParams(entries as [string, string][])
}
