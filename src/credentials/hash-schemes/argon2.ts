/** argon2i, argon2d and argon2id as PHC strings: our own form, and that of most others. */
import { parseOptions, verify } from '@node-rs/argon2'
import type { Comparison } from './scheme.ts'

/** As the library numbers them; its own names are const enums, which this project cannot import. */
const argon2id = 2
const version13 = 1

/** Stronger than this is not a stored password but an attack on our memory and time. KiB, passes, lanes. */
const most = { memoryCost: 256 * 1024, timeCost: 64, parallelism: 16, work: 4 * 1024 * 1024 }
const least = { outputLen: 16, saltLen: 8, memoryPerLane: 8 }

export type Argon2Costs = {
  memoryCost: number
  timeCost: number
  outputLen: number
  saltLen: number
}

export function argon2Comparison(hash: string): Comparison | undefined {
  const found = parse(hash)
  if (!found) return undefined
  const safe =
    found.memoryCost <= most.memoryCost &&
    found.timeCost <= most.timeCost &&
    found.parallelism <= most.parallelism &&
    found.memoryCost * found.timeCost <= most.work &&
    found.memoryCost >= found.parallelism * least.memoryPerLane &&
    found.timeCost >= 1 &&
    found.parallelism >= 1 &&
    found.outputLen >= least.outputLen &&
    found.saltLen >= least.saltLen
  return safe ? (password) => verify(hash, password) : undefined
}

/** True for an argon2id hash that is as strong as `costs` in every respect. */
export function isArgon2idOf(hash: string, costs: Argon2Costs): boolean {
  const found = parse(hash)
  return (
    found !== undefined &&
    found.algorithm === argon2id &&
    found.version === version13 &&
    found.memoryCost >= costs.memoryCost &&
    found.timeCost >= costs.timeCost &&
    found.outputLen >= costs.outputLen &&
    found.saltLen >= costs.saltLen
  )
}

function parse(hash: string) {
  if (!hash.startsWith('$argon2')) return undefined
  try {
    return parseOptions(hash)
  } catch {
    return undefined
  }
}
