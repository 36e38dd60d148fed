/** An app that registers itself and manages what it registered, by plain fetch. */
import {
  createRegistrationToken,
  defaultRegistrationPolicy,
  type RegistrationTokenInput,
} from '../../src/clients/registration-tokens.ts'
import type { TestServer } from './server.ts'

export type Registered = Record<string, unknown> & {
  client_id: string
  client_secret?: string
  registration_client_uri: string
  registration_access_token: string
  error?: string
  error_description?: string
}
export type Reply = { status: number; headers: Headers; body: Registered }

let count = 0

/** A token in clear; unlimited unless said otherwise. */
export async function makeToken(
  { database }: Pick<TestServer, 'database'>,
  more: Partial<RegistrationTokenInput> = {},
): Promise<string> {
  const made = await createRegistrationToken(
    database.db,
    {
      name: `Token ${++count}`,
      uses: null,
      lifetimeSeconds: 3600,
      ...defaultRegistrationPolicy,
      ...more,
    },
    { actor: { kind: 'operator' } },
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  return made.token
}

export async function call(
  method: string,
  url: string,
  token: string | undefined,
  body?: unknown,
): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const { status, headers } = response
  return { status, headers, body: (text === '' ? {} : JSON.parse(text)) as Registered }
}

export function register(
  { origin }: Pick<TestServer, 'origin'>,
  token: string | undefined,
  body: unknown,
): Promise<Reply> {
  return call('POST', `${origin}/oauth2/register`, token, body)
}

/** What was read, as it may be sent back (RFC 7592 §2.2). */
export function sendable(read: Registered): Record<string, unknown> {
  const {
    registration_access_token: _token,
    registration_client_uri: _uri,
    client_secret_expires_at: _ends,
    client_id_issued_at: _since,
    ...rest
  } = read
  return rest
}
