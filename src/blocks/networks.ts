/** Networks as numbers: what a rule names, and the quick question whether an address lies in any of many. */
import { isIP } from 'node:net'

export type Network = { family: 4 | 6; bits: number; base: bigint }

/** `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`; an address alone is itself. Undefined for what is none. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...more] = text.trim().split('/')
  const found = numberOf(address)
  if (!found || more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length)))
    return undefined
  const width = found.family === 4 ? 32 : 128
  const bits = length === undefined ? width : Number(length)
  if (bits > width) return undefined
  return { family: found.family, bits, base: masked(found.value, width - bits) }
}

export type Networks<T> = {
  /** The value of the widest network that holds the address, among those that `counts` says yes to. */
  find(address: string, counts?: (value: T) => boolean): T | undefined
  size: number
}

/** One look-up for each length of prefix that occurs, however many networks there are. */
export function createNetworks<T>(entries: Iterable<[Network, T]>): Networks<T> {
  const lengths = new Map<string, { family: 4 | 6; bits: number; values: Map<bigint, T> }>()
  let size = 0
  for (const [{ family, bits, base }, value] of entries) {
    const key = `${family}/${bits}`
    const known = lengths.get(key) ?? { family, bits, values: new Map<bigint, T>() }
    lengths.set(key, known)
    if (known.values.has(base)) continue
    known.values.set(base, value)
    size++
  }
  const widestFirst = [...lengths.values()].sort((one, other) => one.bits - other.bits)
  return {
    size,
    find(address, counts = () => true) {
      if (size === 0) return undefined
      const asked = numberOf(address)
      if (!asked) return undefined
      const width = asked.family === 4 ? 32 : 128
      for (const { family, bits, values } of widestFirst) {
        const value = family === asked.family && values.get(masked(asked.value, width - bits))
        if (value && counts(value)) return value
      }
      return undefined
    },
  }
}

function masked(value: bigint, low: number): bigint {
  return (value >> BigInt(low)) << BigInt(low)
}

/** IPv4 inside IPv6 (`::ffff:192.0.2.7`) is the IPv4 address, as requests bring it. */
function numberOf(address: string): { family: 4 | 6; value: bigint } | undefined {
  const family = isIP(address)
  if (family === 4) return { family, value: ipv4(address) }
  if (family !== 6 || address.includes('%')) return undefined
  const value = ipv6(address)
  return value >> 32n === 0xffffn
    ? { family: 4, value: value & 0xffff_ffffn }
    : { family: 6, value }
}

function ipv4(address: string): bigint {
  return address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n)
}

function ipv6(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const low = dotted ? ipv4(dotted[2] ?? '') : 0n
  const hex = dotted
    ? `${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`
    : address
  const [head = '', tail] = hex.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].reduce(
    (value, group) => (value << 16n) | BigInt(`0x${group}`),
    0n,
  )
}
