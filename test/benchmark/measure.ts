/** A stretch of load on one side, in a closed loop, and what it cost. */

/** What is read before and after a stretch, in ms and counts since whenever. */
export type Meters = { nodeMs: number; postgresMs: number; statements: number }

export type Stretch = {
  operations: number
  elapsedMs: number
  latenciesMs: number[]
  used: Meters
  /** Of this process, which makes the load. */
  generatorMs: number
}

export type Load = {
  /** `lane` is one of the concurrent callers, `index` its count from 0; rejects when an answer is wrong. */
  operation(lane: number, index: number): Promise<void>
  lanes: number
  durationMs: number
  /** Ends sooner when so many were done. */
  most: number
  signal: AbortSignal
}

/** Rejects with the first wrong answer; operations under way are waited for. */
export async function stretch(load: Load, read: () => Promise<Meters>): Promise<Stretch> {
  const before = await read()
  const cpuBefore = process.cpuUsage()
  const latenciesMs: number[] = []
  const begun = performance.now()
  let started = 0
  let failed = false

  const lane = async (number: number) => {
    for (let index = 0; ; index++) {
      const now = performance.now()
      if (failed || load.signal.aborted || now - begun >= load.durationMs || started >= load.most)
        return
      started++
      await load.operation(number, index).catch((error: unknown) => {
        failed = true
        throw error
      })
      latenciesMs.push(performance.now() - now)
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: load.lanes }, (_, n) => lane(n)))
  const elapsedMs = performance.now() - begun
  const wrong = lanes.find((result) => result.status === 'rejected')
  if (wrong) throw wrong.reason
  load.signal.throwIfAborted()

  const { user, system } = process.cpuUsage(cpuBefore)
  const after = await read()
  return {
    operations: latenciesMs.length,
    elapsedMs,
    latenciesMs,
    used: difference(after, before),
    generatorMs: (user + system) / 1000,
  }
}

function difference(after: Meters, before: Meters): Meters {
  return {
    nodeMs: after.nodeMs - before.nodeMs,
    postgresMs: after.postgresMs - before.postgresMs,
    statements: after.statements - before.statements,
  }
}
