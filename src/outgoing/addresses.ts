/**
 * Which addresses are the open internet's, by IANA's registries of special addresses. Everything else (this
 * machine, private networks, link-local with the clouds' metadata services, multicast, addresses that carry
 * another one inside) is reached only where ALLOW_PRIVATE_TARGETS says so.
 */
import { BlockList, isIP } from 'node:net'

type Range = readonly [network: string, bits: number]

const specialIpv4: Range[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // Looks public, and is the host agent of every machine at Azure.
  ['168.63.129.16', 32],
]

/** Only this much of IPv6 has been given out as public; what lies outside is special or nobody's. */
const publicIpv6: Range = ['2000::', 3]

const specialIpv6: Range[] = [
  // Among them Teredo, which carries an IPv4 address; so does 6to4 below.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
]

const special = rangesOf(specialIpv4, specialIpv6)
const global = rangesOf([], [publicIpv6])

export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special.check(address, 'ipv4')
    case 6:
      // A zone names an interface of this machine.
      return !address.includes('%') && global.check(address, 'ipv6') && !isIn(special, address)
    default:
      return false
  }
}

export function isLoopbackAddress(address: string): boolean {
  return isIn(loopback, address)
}

const loopback = rangesOf([['127.0.0.0', 8]], [['::1', 128]])

/** False for what is no address. IPv4 in IPv6 clothes (`::ffff:…`) counts as the address it means. */
export function isIn(ranges: BlockList, address: string): boolean {
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return false
  return ranges.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function rangesOf(ipv4: readonly Range[], ipv6: readonly Range[]): BlockList {
  const list = new BlockList()
  for (const [network, bits] of ipv4) list.addSubnet(network, bits, 'ipv4')
  for (const [network, bits] of ipv6) list.addSubnet(network, bits, 'ipv6')
  return list
}
