/**
 * Tells guessers from crowds, in memory and without a statement. A network that fails at many names and gets in with few is
 * trying names out (spraying, stuffing); a school behind one address fails as well, but gets in. Many wrong codes are
 * nobody's typing. Each process judges what it sees itself, and what it finds counts for all (blocks/).
 */
import { randomToken, sha256 } from '../crypto.ts'
import { limitKeyAddress, networkOf } from './client-address.ts'

export type Suspects = {
  /** A wrong password for this name; the networks that have now failed at too many. */
  failed(address: string, name: string): string[]
  /** Somebody got in with it. */
  succeeded(address: string, name: string): void
  /** A wrong code of an invitation or a device. */
  wrongCode(address: string): string[]
}

const windowMs = 15 * 60 * 1000
const codeWindowMs = 60 * 60 * 1000
/** Names that were failed at, for one address (IPv6 /64) and for its neighbourhood (/24, /48). */
const namesOf = { address: 30, network: 120 }
const codesOf = 30
/** So many failed names for each that got in. */
const failuresPerSuccess = 4
/** The oldest goes first: an attacker with more networks than this is nobody's to remember. */
const mostNetworks = 10_000

type Seen = { since: number; failed: Set<string>; succeeded: Set<string> }

/** `factor` is LIMIT_FACTOR. */
export function createSuspects({
  factor,
  now = Date.now,
}: {
  factor: number
  now?: () => number
}): Suspects {
  const salt = randomToken()
  const seen = new Map<string, Seen>()
  const codes = new Map<string, { since: number; count: number }>()
  const short = (name: string) => sha256(salt + name).toString('base64url', 0, 9)
  const scaled = (count: number) => Math.max(1, Math.ceil(count * factor))

  function unitsOf(address: string): [network: string, most: number][] {
    return [
      [asCidr(limitKeyAddress(address)), scaled(namesOf.address)],
      [networkOf(address), scaled(namesOf.network)],
    ]
  }

  function at(network: string): Seen {
    const known = seen.get(network)
    if (known && now() - known.since < windowMs) return known
    const fresh = { since: now(), failed: new Set<string>(), succeeded: new Set<string>() }
    seen.delete(network)
    seen.set(network, fresh)
    dropOldest(seen)
    return fresh
  }

  return {
    failed(address, name) {
      const found: string[] = []
      for (const [network, most] of unitsOf(address)) {
        const { failed, succeeded } = at(network)
        failed.add(short(name))
        if (failed.size < most || failed.size < succeeded.size * failuresPerSuccess) continue
        seen.delete(network)
        found.push(network)
      }
      return found
    },
    succeeded(address, name) {
      for (const [network, most] of unitsOf(address)) {
        const { failed, succeeded } = at(network)
        // Whoever gets in at last was no guess at another's name.
        failed.delete(short(name))
        if (succeeded.size < most) succeeded.add(short(name))
      }
    },
    wrongCode(address) {
      const network = asCidr(limitKeyAddress(address))
      const known = codes.get(network)
      const fresh = !known || now() - known.since >= codeWindowMs
      const entry = fresh ? { since: now(), count: 1 } : { ...known, count: known.count + 1 }
      if (fresh) codes.delete(network)
      codes.set(network, entry)
      dropOldest(codes)
      if (entry.count < scaled(codesOf)) return []
      codes.delete(network)
      return [network]
    },
  }
}

function asCidr(unit: string): string {
  return unit.includes('/') ? unit : `${unit}/32`
}

function dropOldest(map: Map<string, unknown>): void {
  if (map.size <= mostNetworks) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
