/**
 * The ceiling of any sign-in with a password: comparisons of one argon2id hash and nothing else, as many at once as
 * the provider's queue has slots. Told a duration in ms, it answers with the time of each comparison.
 */
import { verify } from '@node-rs/argon2'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'

export type HashReport = { elapsedMs: number; latenciesMs: number[] }

const password = 'the same words each time'
const hasher = createPasswordHasher()
const hash = await hasher.hash(password)
const slots = await countSlots()

process.on('message', async ({ durationMs }: { durationMs: number }) => {
  const begun = performance.now()
  const latenciesMs: number[] = []
  const lane = async () => {
    for (let now = performance.now(); now - begun < durationMs; ) {
      if (!(await verify(hash, password))) throw new Error('a right password was refused')
      latenciesMs.push(performance.now() - now)
      now = performance.now()
    }
  }
  await Promise.all(Array.from({ length: slots }, lane))
  process.send?.({ elapsedMs: performance.now() - begun, latenciesMs } satisfies HashReport)
})
process.once('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})
process.send?.('ready')

/** As many as run when more than enough have asked. */
async function countSlots(): Promise<number> {
  const asked = Array.from({ length: 64 }, () => new AbortController())
  const waiting = asked.map(({ signal }) => hasher.verify(hash, password, signal).catch(() => {}))
  const { running } = hasher.stats()
  for (const controller of asked) controller.abort()
  await Promise.all(waiting)
  return running
}
