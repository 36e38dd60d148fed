/**
 * An app of somebody else's, played by plain fetch: begins authorization requests with PKCE, state and nonce, redeems
 * what comes back, and speaks to the other endpoints. What it is answered is returned as it came, refusals too.
 */
import { expect } from 'vitest'
import type { ClientInput } from '../../src/clients/create-client.ts'
import { createClient } from '../../src/clients/create-client.ts'
import { randomToken, sha256 } from '../../src/crypto.ts'
import type { Page } from '../../src/demo/visitor.ts'
import { asCredentials, type Key, type Prover, signAssertion } from './client-keys.ts'
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
  redeem(
    request: Request,
    code: string | undefined,
    changes?: Parameters,
    headers?: Record<string, string>,
  ): Promise<Answer>
  refresh(
    token: string | undefined,
    changes?: Parameters,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** POST to an endpoint below `/oauth2/`, authenticated as the app. */
  post(endpoint: string, fields: Parameters, headers?: Record<string, string>): Promise<Answer>
  userinfo(accessToken: string | undefined): Promise<Answer>
  introspect(token: string | undefined): Promise<Answer>
  revoke(token: string | undefined): Promise<Answer>
  logoutUrl(parameters?: Parameters): string
}

/** How an app proves itself and sends, where it is not by a secret and plainly. */
export type Ways = {
  /** Signs who it is at each request, for this audience or the issuer. */
  key?: Key
  audience?: string
  /** Binds its tokens to a key; asks again with the nonce that it was told. */
  prover?: Prover
  send?: typeof fetch
}

let count = 0

/** Registers an app of this preset; `generic` and third-party unless said otherwise. */
export async function createApp(
  { origin, database }: Pick<TestServer, 'origin' | 'database'>,
  input: Partial<ClientInput> = {},
  ways: Ways = {},
): Promise<App> {
  const name = input.name ?? `App ${++count}`
  const redirectUri = input.redirectUris?.[0] ?? `https://app${count}.example.com/cb`
  const { preset = 'generic' } = input
  const uris = preset === 'service' ? [] : [redirectUri]
  const made = await createClient(
    database.db,
    {
      redirectUris: uris,
      ...(ways.key ? { authMethod: 'private_key_jwt', jwks: { keys: [ways.key.publicJwk] } } : {}),
      ...input,
      name,
      preset,
    },
    { actor: { kind: 'operator' } },
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  const { client, secret } = made
  const { token_endpoint_auth_method: method, scope } = client.metadata
  return playApp({ origin, id: client.id, secret, method, scope, redirectUri, ...ways })
}

/** The same app as another node answers it, or with another secret. */
export function playApp(
  app: Ways & {
    origin: string
    id: string
    secret: string | undefined
    method: string
    scope?: string | undefined
    redirectUri: string
  },
): App {
  const { origin, id, secret, redirectUri, key, prover, send = fetch } = app

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

  async function credentials(): Promise<Parameters> {
    if (app.method === 'client_secret_basic') return {}
    if (!key) return { client_id: id, client_secret: secret }
    const { audience = origin } = app
    return {
      client_id: id,
      ...asCredentials(await signAssertion(key, { clientId: id, audience })),
    }
  }

  async function post(
    endpoint: string,
    fields: Parameters,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const url = `${origin}/oauth2/${endpoint}`
    const basic = app.method === 'client_secret_basic'
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
    const once = async () =>
      toAnswer(
        await send(url, {
          method: 'POST',
          redirect: 'manual',
          headers: {
            ...(basic ? { authorization } : {}),
            ...(prover && proven.has(endpoint)
              ? { dpop: await prover.prove({ method: 'POST', url }) }
              : {}),
            ...headers,
          },
          body: defined({ ...(await credentials()), ...fields }),
        }),
      )
    const answer = await once()
    if (prover) prover.nonce = answer.headers.get('dpop-nonce') ?? prover.nonce
    return answer.body.error === 'use_dpop_nonce' && !headers.dpop ? once() : answer
  }

  async function userinfo(accessToken: string | undefined): Promise<Answer> {
    const url = `${origin}/oauth2/userinfo`
    const headers: Record<string, string> = prover
      ? {
          authorization: `DPoP ${accessToken}`,
          dpop: await prover.prove({ method: 'GET', url, accessToken }),
        }
      : { authorization: `Bearer ${accessToken}` }
    return toAnswer(await send(url, { headers }))
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
    redeem: (request, code, changes = {}, headers = {}) =>
      post(
        'token',
        {
          grant_type: 'authorization_code',
          code,
          redirect_uri: redirectUri,
          code_verifier: request.verifier,
          ...changes,
        },
        headers,
      ),
    refresh: (token, changes = {}, headers = {}) =>
      post('token', { grant_type: 'refresh_token', refresh_token: token, ...changes }, headers),
    userinfo,
    introspect: (token) => post('introspect', { token }),
    revoke: (token) => post('revoke', { token }),
    logoutUrl: (parameters = {}) => `${origin}/oauth2/logout?${defined(parameters)}`,
  }
}

/** Endpoints where a proof says something. */
const proven = new Set(['token', 'par'])

/** The same request by a reference: the app pushes it first (RFC 9126). */
export async function push(app: App, request: Request, more: Parameters = {}): Promise<Request> {
  const { body } = await app.post('par', { ...Object.fromEntries(request.parameters), ...more })
  const { request_uri: reference } = body as { request_uri?: string }
  expect(reference, JSON.stringify(body)).toMatch(/^urn:ietf:params:oauth:request_uri:/)
  return byReference(app, request, String(reference))
}

export function byReference(app: App, request: Request, reference: string): Request {
  const parameters = new URLSearchParams({ client_id: app.id, request_uri: reference })
  return { ...request, parameters, url: `${request.url.split('?')[0]}?${parameters}` }
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
