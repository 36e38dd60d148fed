/** Who and what a plan needs, made by `npx idp` alone: people, apps, apps that listen, and the check of their ID tokens. */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, expect } from 'vitest'
import type { Key } from '../support/client-keys.ts'
import { password } from '../support/person.ts'
import { type App, playApp, type Ways } from '../support/relying-party.ts'
import { certify, type Provider } from './support.ts'

/** Somebody with a proven address; `flags` are those of `users update`. */
export async function createPerson(provider: Provider, username: string, flags: string[] = []) {
  const email = `${username}@example.org`
  const create = ['users', 'create', username, '--email', email, '--verified', '--password-stdin']
  const made = await provider.idp([...create, '--name', 'Ada Lovelace', '--json'], password)
  expect(made.code, made.stderr).toBe(0)
  if (flags.length > 0) {
    const updated = await provider.idp(['users', 'update', username, ...flags])
    expect(updated.code, updated.stderr).toBe(0)
  }
  return { username, email, password }
}

let count = 0

/** An app as `clients create` makes it; `flags` on top of its name and redirect URI. */
export async function createApp(
  { origin, idp }: Provider,
  flags: string[],
  {
    redirectUri = `https://app${++count}.example.com/cb`,
    ...ways
  }: Ways & { redirectUri?: string } = {},
): Promise<App> {
  const create = ['clients', 'create', `App ${++count}`, '--redirect-uri', redirectUri, '--json']
  const { code, stdout, stderr } = await idp([...create, ...flags])
  expect(code, stderr).toBe(0)
  const { client } = JSON.parse(stdout) as { client: Record<string, string | undefined> }
  return playApp({
    origin,
    redirectUri,
    id: client.client_id ?? '',
    secret: client.client_secret,
    method: client.token_endpoint_auth_method ?? '',
    scope: client.scope,
    ...ways,
  })
}

/** The claims of an ID token, which has to be as OpenID Connect Core §3.1.3.7 wants it. */
export async function verifyIdToken(
  { origin, metadata }: Pick<Provider, 'origin' | 'metadata'>,
  app: Pick<App, 'id'>,
  idToken: string | undefined,
  nonce?: string,
): Promise<Record<string, unknown> & { alg: string }> {
  const keySet = createRemoteJWKSet(new URL(String(metadata.jwks_uri)))
  const { payload, protectedHeader } = await jwtVerify(idToken ?? '', keySet, {
    issuer: origin,
    audience: app.id,
    requiredClaims: ['sub', 'exp', 'iat'],
  })
  expect(protectedHeader.kid).toBeTruthy()
  expect(payload.aud).toBe(app.id)
  expect(payload.nonce).toBe(nonce)
  return { ...payload, alg: protectedHeader.alg }
}

/** A file for `--jwks-file`. */
export function writeKeys({ directory }: Pick<Provider, 'directory'>, ...keys: Key[]): string {
  const file = join(directory, `keys-${++count}.json`)
  writeFileSync(file, JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }))
  return file
}

export type Heard = { path: string; type: string | undefined; fields: Record<string, string> }

/** An app that listens over TLS on this machine and remembers the forms that are posted to it. */
export async function startListener({ authority }: Provider, port = 0) {
  const heard: Heard[] = []
  const { cert, key } = certify(authority)
  const server = createServer({ cert, key }, async (request, response) => {
    const fields = Object.fromEntries(new URLSearchParams(await text(request)))
    const { url: path = '', headers } = request
    heard.push({ path, type: headers['content-type'], fields })
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  afterAll(() => void server.close().closeAllConnections())
  const { port: used } = server.address() as AddressInfo
  return { origin: `https://localhost:${used}`, heard }
}
