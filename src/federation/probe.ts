/**
 * Walks what a sign-in by a provider takes, without a person: discovery, keys, an authorization request, and whether the
 * upstream knows our secret. Says of each step what would fail and how to mend it.
 */
import { authorizationCodeGrant, type Configuration, ResponseBodyError } from 'openid-client'
import { randomToken } from '../crypto.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import { authorizationUrl, callbackPath } from './exchange.ts'
import type { Provider } from './providers.ts'
import { type UpstreamError, upstreamErrorOf } from './upstream-error.ts'
import type { Upstreams } from './upstreams.ts'

export type Finding = {
  check: string
  status: 'ok' | 'failed' | 'warning' | 'skipped'
  detail: string
  fix?: string
}

type Probed = { upstreams: Upstreams; provider: Provider; issuer: string }

export async function probeProvider(probed: Probed): Promise<Finding[]> {
  const { upstreams, provider } = probed
  let config: Configuration
  try {
    config = await upstreams.connect(provider)
  } catch (error) {
    return [{ check: 'discovery', status: 'failed', ...inWords(provider, upstreamErrorOf(error)) }]
  }
  const metadata = config.serverMetadata()
  return [
    { check: 'discovery', status: 'ok', detail: metadata.issuer },
    await keys(probed, metadata.jwks_uri ?? ''),
    pkce(metadata.code_challenge_methods_supported),
    await request(probed),
    await secret(probed, config),
    {
      check: 'signing out there',
      status: metadata.end_session_endpoint ? 'ok' : 'skipped',
      detail: metadata.end_session_endpoint ? 'people are asked' : 'it has no end_session_endpoint',
    },
  ]
}

async function keys({ upstreams, provider }: Probed, uri: string): Promise<Finding> {
  const check = 'its keys'
  try {
    const response = await upstreams.fetchFor(provider)(uri)
    const { keys: found } = (await response.json()) as { keys?: { kty?: string }[] }
    const usable = (found ?? []).filter(({ kty }) => kty !== 'oct').length
    if (response.status === 200 && usable > 0) {
      return { check, status: 'ok', detail: `${usable} at ${uri}` }
    }
    const detail = `${uri} answers ${response.status} and has none that we can use`
    return { check, status: 'failed', detail, fix: 'This is for whoever runs the upstream.' }
  } catch (error) {
    return { check, status: 'failed', ...inWords(provider, upstreamErrorOf(error)) }
  }
}

/** We always send it; who does not name it takes it all the same, as far as we have seen. */
function pkce(methods: string[] | undefined): Finding {
  const check = 'PKCE'
  if (!methods || methods.includes('S256')) {
    return { check, status: 'ok', detail: methods ? 'S256' : 'S256 is sent; it does not say' }
  }
  return { check, status: 'warning', detail: `it names ${methods.join(', ')} and not S256` }
}

async function request({ upstreams, provider, issuer }: Probed): Promise<Finding> {
  const check = 'an authorization request'
  const redirectUri = issuer + callbackPath(provider.id)
  const fix = `Register there, letter by letter: ${redirectUri}`
  try {
    const once = {
      state: randomToken(),
      nonce: randomToken(),
      verifier: randomToken(),
      fresh: false,
    }
    const url = await authorizationUrl(upstreams, provider, once, { issuer })
    const response = await upstreams.fetchFor(provider)(url, { headers: { accept: 'text/html' } })
    const location = response.headers.get('location') ?? ''
    const back = URL.parse(location)
    const error = location.startsWith(redirectUri) ? back?.searchParams.get('error') : undefined
    if (error) return { check, status: 'failed', detail: `it answers ${plain(error)}`, fix }
    if (response.status >= 400) {
      return { check, status: 'failed', detail: `it answers ${response.status}`, fix }
    }
    return { check, status: 'ok', detail: `it answers ${response.status}` }
  } catch (error) {
    const { cause } = error as Error
    // A sign-in page may be as large as it likes.
    if (
      [error, cause].some((part) => part instanceof OutgoingError && part.reason === 'too-large')
    ) {
      return { check, status: 'ok', detail: 'it answers with a large page' }
    }
    return { check, status: 'failed', ...inWords(provider, upstreamErrorOf(error)) }
  }
}

/** With a code that nobody gave: who knows us says that the code is wrong, and not that we are. */
async function secret({ provider, issuer }: Probed, config: Configuration): Promise<Finding> {
  const check = 'client id and secret'
  try {
    const url = new URL(issuer + callbackPath(provider.id))
    url.searchParams.set('code', randomToken())
    url.searchParams.set('iss', config.serverMetadata().issuer)
    await authorizationCodeGrant(config, url, { pkceCodeVerifier: randomToken() })
    return { check, status: 'warning', detail: 'it took a code that nobody gave' }
  } catch (error) {
    if (error instanceof ResponseBodyError && error.error !== 'invalid_client') {
      return { check, status: 'ok', detail: `it answers ${plain(error.error)} to a code of nobody` }
    }
    const known = upstreamErrorOf(error)
    const refused = known.code === 'upstream_refused' || /invalid_client|401/.test(known.message)
    if (refused || error instanceof ResponseBodyError) {
      const fix =
        'Give what it shows you: idp providers update … --client-id or --client-secret-file'
      return { check, status: 'failed', detail: plain(known.message), fix }
    }
    return { check, status: 'failed', ...inWords(provider, known) }
  }
}

function inWords({ issuer }: Provider, error: UpstreamError): { detail: string; fix: string } {
  const { cause } = error
  const guarded = [cause, (cause as Error | undefined)?.cause].find(
    (part) => part instanceof OutgoingError,
  )
  if (
    guarded instanceof OutgoingError &&
    ['private', 'insecure', 'port'].includes(guarded.reason)
  ) {
    const { hostname, port, protocol } = new URL(issuer)
    const target = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
    return { detail: error.message, fix: `If it is meant: ALLOW_PRIVATE_TARGETS=${target}` }
  }
  if (error.code === 'upstream_unreachable') {
    return { detail: error.message, fix: `Is ${issuer} up, and reachable from here?` }
  }
  return {
    detail: plain(error.message),
    fix: 'Is its issuer spelt letter by letter as its discovery says?',
  }
}

function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}
