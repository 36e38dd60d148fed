/**
 * Whether an address that somebody else chose may be called, and at which IP addresses: first its spelling, then
 * what DNS says. Whatever is doubtful is refused (SS-01…SS-14).
 */
import { isIP } from 'node:net'
import { isLoopbackAddress, isPublicAddress } from './addresses.ts'
import { failureOf, OutgoingError, type OutgoingReason } from './errors.ts'
import { type AllowedTargets, hostOf, isWebPort, portOf } from './targets.ts'

export type Address = { address: string; family: number }

/** Rejects where a name has no address. */
export type Resolve = (host: string) => Promise<Address[]>

export type Target = { url: URL; addresses: Address[] }

export type Judge = (text: string, signal: AbortSignal) => Promise<Target>

const longestAddress = 2000

/** The returned function rejects with an `OutgoingError`. */
export function createJudge(options: {
  issuer: string
  allowed: AllowedTargets
  resolve: Resolve
}): Judge {
  const { allowed } = options
  const issuer = new URL(options.issuer)
  const issuerIsLoopback = isLoopbackAddress(hostOf(issuer)) || hostOf(issuer) === 'localhost'

  return async (text, signal) => {
    const url = judgeSpelling(text)
    const addresses = await addressesOf(hostOf(url), signal)
    judgeAddresses(url, addresses)
    return { url, addresses }
  }

  function judgeSpelling(text: string): URL {
    const url = URL.parse(text)
    if (!url || text.length > longestAddress) {
      throw new OutgoingError('malformed', 'this is not an address that can be called')
    }
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
      throw refusal('scheme', url, `uses ${url.protocol}`)
    }
    if (url.username || url.password) throw refusal('userinfo', url, 'comes with a user name')
    if (text.includes('#')) throw refusal('fragment', url, 'comes with a fragment')
    if (hostOf(url) === hostOf(issuer) && portOf(url) === portOf(issuer)) {
      throw refusal('own-issuer', url, 'is ourselves')
    }
    if (!isWebPort(portOf(url)) && !allowed.names(hostOf(url), portOf(url))) {
      throw refusal('port', url, 'is the port of another kind of service')
    }
    return url
  }

  /** All of them have to pass: an answer that mixes public and private is a trick. */
  function judgeAddresses(url: URL, addresses: Address[]): void {
    const port = portOf(url)
    const named = allowed.names(hostOf(url), port)
    const isAllowed = ({ address }: Address) => named || allowed.covers(address, port)
    const isUs = ({ address }: Address) =>
      issuerIsLoopback && port === portOf(issuer) && isLoopbackAddress(address)
    if (addresses.some(isUs)) throw refusal('own-issuer', url, 'is ourselves')
    if (addresses.some((found) => !isPublicAddress(found.address) && !isAllowed(found))) {
      throw refusal('private', url, 'is private, and ALLOW_PRIVATE_TARGETS does not name it')
    }
    if (url.protocol === 'http:' && !addresses.every(isAllowed)) {
      throw refusal('insecure', url, 'uses http')
    }
  }

  async function addressesOf(host: string, signal: AbortSignal): Promise<Address[]> {
    const family = isIP(host)
    if (family !== 0) return [{ address: host, family }]
    try {
      const found = await beforeEnd(options.resolve(host), signal)
      if (found.length > 0) return found
    } catch (cause) {
      throw failureOf(cause, { host, signal, otherwise: 'unresolved' })
    }
    throw new OutgoingError('unresolved', `${host} has no address`)
  }
}

function refusal(reason: OutgoingReason, url: URL, words: string): OutgoingError {
  return new OutgoingError(reason, `${url.host || url.protocol} ${words}`)
}

/** DNS cannot be called off; whoever waits for it can. */
function beforeEnd<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}
