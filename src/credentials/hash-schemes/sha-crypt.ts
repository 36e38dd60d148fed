/** The sha256 and sha512 of crypt(3), `$5$` and `$6$`: 50,000 rounds take about 150 ms. */
import { timingSafeEqual } from 'node:crypto'
import { type Comparison, readCount } from './scheme.ts'
import { computeSlowHash } from './slow-hash.ts'

/** passlib's usual number is 656,000, which takes two seconds. */
const mostRounds = 700_000
/** As the specification: fewer are counted as this many. */
const leastRounds = 1000

export function shaCryptComparison(hash: string): Comparison | undefined {
  const [, kind, rounds, key = ''] =
    /^\$([56])\$(?:rounds=(\d+)\$)?[./A-Za-z0-9]{1,16}\$([./A-Za-z0-9]+)$/.exec(hash) ?? []
  if (kind === undefined || key.length !== (kind === '5' ? 43 : 86)) return undefined
  const count = rounds === undefined ? leastRounds : readCount(rounds)
  if (!(count >= leastRounds && count <= mostRounds)) return undefined
  const salt = hash.slice(0, hash.lastIndexOf('$'))
  return async (password) => {
    const made = Buffer.from(await computeSlowHash({ scheme: 'sha-crypt', password, salt }))
    const kept = Buffer.from(hash)
    return made.length === kept.length && timingSafeEqual(made, kept)
  }
}
