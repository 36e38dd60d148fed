/** The token endpoint's side of a probe: a code that never was must fail for being no code, not for who asks. */
import type { Client } from '../clients/clients.ts'
import { usesSecret } from '../clients/metadata.ts'
import { backchannelGrant, deviceGrant, signsPeopleIn } from '../clients/rules/grants.ts'
import { randomToken } from '../crypto.ts'
import { ask, wordsOf } from './probe-request.ts'
import type { Check } from './sign-in-probe.ts'

/** Without `secret` a confidential client's authentication cannot be checked. A service gets a real token. */
export async function checkToken(
  client: Client,
  endpoint: string,
  secret: string | undefined,
): Promise<Check> {
  const { metadata } = client
  const check = 'token endpoint knows the client'
  if (usesSecret(metadata) && secret === undefined) {
    const fix = `To check its secret: idp clients test ${client.id} --secret-stdin < secret.txt`
    return { check, status: 'skipped', detail: 'its secret is not known here', fix }
  }
  if (!usesSecret(metadata) && metadata.token_endpoint_auth_method !== 'none') {
    return { check, status: 'skipped', detail: 'it proves itself by a key of its own' }
  }
  if (metadata.dpop_bound_access_tokens || metadata.tls_client_certificate_bound_access_tokens) {
    return { check, status: 'skipped', detail: 'its tokens are bound to a key of its own' }
  }
  const forItself = !signsPeopleIn(metadata)
  const answer = await ask(endpoint, request(client, secret, forItself))
  if (!answer.ok) return { check, status: 'failed', detail: answer.words }
  const words = wordsOf(answer)
  if (forItself && answer.status === 200) return { check, status: 'ok', detail: 'gives it a token' }
  if (!forItself && answer.status === 400 && words.startsWith('invalid_grant')) {
    return { check, status: 'ok', detail: 'takes its authentication' }
  }
  if (words.startsWith('invalid_client')) {
    const fix = `The secret is not this client’s. A new one: idp clients rotate-secret ${client.id}`
    return { check, status: 'failed', detail: words, fix }
  }
  return { check, status: 'failed', detail: `${answer.status}: ${words}` }
}

function request(client: Client, secret: string | undefined, forItself: boolean): RequestInit {
  const { metadata, apis } = client
  const [api] = apis
  const body = new URLSearchParams(
    forItself
      ? { grant_type: 'client_credentials', ...(api ? { resource: api.identifier } : {}) }
      : neverGranted(client),
  )
  const headers: Record<string, string> = {}
  if (metadata.token_endpoint_auth_method === 'client_secret_basic') {
    // Ids and secrets are made of characters that need no encoding (RFC 6749 §2.3.1).
    headers.authorization = `Basic ${Buffer.from(`${client.id}:${secret}`).toString('base64')}`
  } else {
    body.set('client_id', client.id)
    if (secret !== undefined) body.set('client_secret', secret)
  }
  return { method: 'POST', headers, body }
}

/** By the first of the ways in which people sign in to it. */
function neverGranted({ metadata }: Client): Record<string, string> {
  const { grant_types: grants, redirect_uris: redirects } = metadata
  if (grants.includes('authorization_code')) {
    return {
      grant_type: 'authorization_code',
      code: randomToken(32),
      redirect_uri: redirects[0] ?? '',
      code_verifier: randomToken(32),
    }
  }
  if (grants.includes(deviceGrant)) {
    return { grant_type: deviceGrant, device_code: randomToken(32) }
  }
  return { grant_type: backchannelGrant, auth_req_id: randomToken(32) }
}
