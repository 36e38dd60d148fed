/**
 * Where a request comes from. Only a trusted proxy may say so for somebody else, in X-Forwarded-For, and
 * only the right-most hop that is not a trusted proxy counts (PW-17); `Forwarded` is never read.
 */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv4 } from 'node:net'
import type { Middleware } from 'koa'
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'

/** Whether an address belongs to a proxy whose `X-Forwarded-*` counts. */
export type ProxyTrust = (address: string) => boolean

/** `proxies` are addresses or CIDR ranges, as in TRUSTED_PROXIES. */
export function trustProxies(proxies: string[]): ProxyTrust {
  const list = new BlockList()
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/')
    const plain = normalise(address)
    const family = isIPv4(plain) ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(plain, family)
    else list.addSubnet(plain, Number(bits), family)
  }
  return (address) => address !== '' && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** Who holds the other end of the connection; empty when it is gone already. */
export function peerAddress(req: IncomingMessage): string {
  return normalise(req.socket.remoteAddress ?? '')
}

/** The client's address, IPv4 in its plain form; empty when the connection is gone already. */
export function clientAddress(req: IncomingMessage, isTrusted: ProxyTrust): string {
  let address = peerAddress(req)
  const forwarded = [req.headers['x-forwarded-for'] ?? []].flat().join(',')
  if (forwarded === '') return address
  for (const hop of forwarded.split(',').reverse()) {
    if (!isTrusted(address)) break
    const before = hopAddress(hop)
    // What stands left of an unreadable hop was not written by a proxy that we know.
    if (before === undefined) break
    address = before
  }
  return address
}

/**
 * Behind a proxy that we do not trust every visitor has that proxy's address, and one who guesses passwords stops all
 * others (PW-17). Said once: a header from outside can be anything, and must not fill the log.
 */
export function warnOfStrangeProxy(
  { trustedProxies }: Pick<Config, 'trustedProxies'>,
  logger: Pick<Logger, 'warn'>,
): Middleware {
  const isTrusted = trustProxies(trustedProxies)
  let said = false
  return async function warnOfStrangeProxy(ctx, next) {
    if (!said && ctx.req.headers['x-forwarded-for'] !== undefined) {
      const peer = peerAddress(ctx.req)
      if (!isTrusted(peer)) {
        said = true
        logger.warn(
          { peer },
          'X-Forwarded-For from an address that is no trusted proxy is ignored; if it is your proxy, name it in TRUSTED_PROXIES',
        )
      }
    }
    await next()
  }
}

/** From this machine, and not on behalf of anybody else. */
export function isLoopbackPeer(req: IncomingMessage): boolean {
  const { headers } = req
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return false
  const address = peerAddress(req)
  return address.startsWith('127.') || address === '::1'
}

/** The unit that limits count: an IPv4 address, or the /64 that one IPv6 household owns. */
export function limitKeyAddress(address: string): string {
  return isIP(address) === 6 ? `${groupsOf(address).slice(0, 4).join(':')}::/64` : address
}

/** The neighbourhood of an address: IPv4 /24, IPv6 /48. */
export function networkOf(address: string): string {
  const family = isIP(address)
  if (family === 6) return `${groupsOf(address).slice(0, 3).join(':')}::/48`
  return family === 4 ? `${address.split('.').slice(0, 3).join('.')}.0/24` : address
}

/** IPv4-mapped IPv6 as IPv4, without a zone; IPv6 in its one canonical spelling. */
function normalise(address: string): string {
  if (isIP(address) !== 6) return address
  const canonical = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical)
  if (!mapped) return canonical
  const bytes = mapped.slice(1).flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
  return bytes.join('.')
}

/** Some proxies add a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function hopAddress(hop: string): string | undefined {
  const text = hop.trim().replace(/^"(.*)"$/, '$1')
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return isIP(bare) === 0 ? undefined : normalise(bare)
}

/** The eight groups of a normalised IPv6 address. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  return [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
}
