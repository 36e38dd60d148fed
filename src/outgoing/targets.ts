/**
 * What ALLOW_PRIVATE_TARGETS allows beyond the open internet, and the ports that nobody reaches unnamed. An entry
 * is a host with its port, or a range of addresses; `config.ts` has checked its form.
 */
import { BlockList, isIP } from 'node:net'
import { isIn } from './addresses.ts'

export type AllowedTargets = {
  /** This very host and port stands on the list; then its port is nobody's business either. */
  names(host: string, port: number): boolean
  /** The address lies in a range of the list, or stands there with this port. */
  covers(address: string, port: number): boolean
}

export function allowedTargets(entries: readonly string[]): AllowedTargets {
  const ranges = new BlockList()
  const named = new Set<string>()
  for (const entry of entries) {
    const [network = '', bits] = entry.split('/')
    const family = isIP(network)
    if (family === 0) named.add(keyOfEntry(entry))
    else
      ranges.addSubnet(network, Number(bits ?? (family === 4 ? 32 : 128)), `ipv${family as 4 | 6}`)
  }
  return {
    names: (host, port) => named.has(keyOf(host, port)),
    covers: (address, port) => named.has(keyOf(address, port)) || isIn(ranges, address),
  }
}

/** `Host:Port` in the one spelling that URLs give hosts. */
function keyOfEntry(entry: string): string {
  const url = new URL(`http://${entry}`)
  return keyOf(hostOf(url), Number(url.port || 80))
}

const keyOf = (host: string, port: number) => `${host.toLowerCase()} ${port}`

/** Without the brackets of an IPv6 address and the dot that ends an absolute name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
}

export function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80))
}

/** Databases, queues, caches and remote control, which answer to strangers where they were left open (SS-10). */
const servicePorts = new Set([
  ...[
    1080, 1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3306, 3389, 3659,
  ],
  ...[
    4045, 4190, 4222, 5060, 5061, 5432, 5433, 5672, 5900, 5984, 6000, 6379, 6443, 6566, 6665, 6666,
  ],
  ...[6667, 6668, 6669, 6679, 6697, 8086, 8500, 9042, 9092, 9200, 9300, 10080, 10250, 11211, 15672],
  ...[26257, 27017, 27018, 27019, 50000],
])

/** True for the web's own ports and whatever apps choose; the privileged rest and known services are not. */
export function isWebPort(port: number): boolean {
  return port === 443 || port === 80 || (port >= 1024 && !servicePorts.has(port))
}
