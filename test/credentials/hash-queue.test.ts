import { describe, expect, test } from 'vitest'
import { createHashQueue, type JobReport } from '../../src/credentials/hash-queue.ts'
import { AppError } from '../../src/errors.ts'

/** A queue whose clock and jobs the test moves by hand. */
function setUp({ slots = 1, maxWaitMs = 2000 } = {}) {
  let now = 0
  const reports: JobReport[] = []
  const queue = createHashQueue({
    slots,
    maxWaitMs,
    clock: () => now,
    onJob: (report) => reports.push(report),
  })
  const running: { name: string; end: () => void; fail: (error: Error) => void }[] = []

  /** Resolves to `name`, or to the code of the refusal. */
  const ask = (name: string, signal?: AbortSignal): Promise<string> =>
    queue
      .run(
        () =>
          new Promise<string>((resolve, reject) =>
            running.push({ name, end: () => resolve(name), fail: reject }),
          ),
        signal,
      )
      .catch((error) => (error instanceof AppError ? error.code : String(error)))

  /** Ends the job that began first, after `ms`. */
  async function endOne(ms: number): Promise<void> {
    now += ms
    running.shift()?.end()
    await settle()
  }
  const names = () => running.map(({ name }) => name)
  return { queue, reports, running, ask, endOne, names, pass: (ms: number) => (now += ms) }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('permits', () => {
  test('DS-01: never more jobs at once than slots, in the order of asking', async () => {
    const { queue, ask, endOne, names } = setUp({ slots: 2 })
    const answers = Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => ask(name)))
    await settle()

    expect(names()).toEqual(['a', 'b'])
    expect(queue.stats()).toMatchObject({ running: 2, waiting: 3 })
    await endOne(10)
    expect(names()).toEqual(['b', 'c'])
    for (let i = 0; i < 4; i++) await endOne(10)

    expect(await answers).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, done: 5, refused: 0, left: 0 })
  })

  test('a job that fails gives its permit back and tells only its own caller', async () => {
    const { queue, ask, endOne, running, names, reports } = setUp()
    const answers = Promise.all([ask('a'), ask('b')])
    await settle()
    running.shift()?.fail(new Error('out of memory'))
    await settle()
    expect(names()).toEqual(['b'])
    await endOne(10)

    expect(await answers).toEqual(['Error: out of memory', 'b'])
    expect(reports.map(({ result }) => result)).toEqual(['failed', 'done'])
    expect(queue.stats().running).toBe(0)
  })

  test('DS-02: who leaves while waiting leaves the queue; others move up', async () => {
    const { queue, ask, endOne, names } = setUp()
    const leaving = new AbortController()
    const answers = Promise.all([ask('a'), ask('b', leaving.signal), ask('c')])
    await settle()
    leaving.abort()
    await settle()

    expect(queue.stats()).toMatchObject({ running: 1, waiting: 1, left: 1 })
    await endOne(10)
    expect(names()).toEqual(['c'])
    await endOne(10)
    expect(await answers).toEqual(['a', 'request_aborted', 'c'])
  })

  test('DS-02: a request that hangs up does not free the permit of its running job', async () => {
    const { queue, ask, endOne, names } = setUp()
    const leaving = new AbortController()
    const answers = Promise.all([ask('a', leaving.signal), ask('b')])
    await settle()
    leaving.abort()
    await settle()

    expect(names()).toEqual(['a'])
    expect(queue.stats()).toMatchObject({ running: 1, waiting: 1, left: 0 })
    await endOne(10)
    await endOne(10)
    expect(await answers).toEqual(['a', 'b'])
  })

  test('DS-02: of 2,000 that hang up at once only the running one is ever run', async () => {
    const { queue, ask, endOne, names } = setUp({ maxWaitMs: 1_000_000 })
    const leaving = new AbortController()
    const answers = Promise.all(Array.from({ length: 2000 }, (_, i) => ask(`${i}`, leaving.signal)))
    await settle()
    expect(queue.stats()).toMatchObject({ running: 1, waiting: 1999 })
    leaving.abort()
    await endOne(10)

    expect(names()).toEqual([])
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, done: 1, refused: 0, left: 1999 })
    expect((await answers).filter((answer) => answer === 'request_aborted')).toHaveLength(1999)
  })

  test('who has already gone is not run at all', async () => {
    const { queue, ask } = setUp()
    expect(await ask('a', AbortSignal.abort())).toBe('request_aborted')
    expect(queue.stats()).toMatchObject({ running: 0, left: 1 })
  })
})

describe('the wait', () => {
  /** Runs jobs of `ms` until the moving average believes it. */
  async function teach({ ask, endOne }: ReturnType<typeof setUp>, ms: number) {
    for (let i = 0; i < 100; i++) {
      const answer = ask('lesson')
      await settle()
      await endOne(ms)
      await answer
    }
  }

  test('DS-01: is bounded by how long jobs take; the rest is refused at once with Retry-After', async () => {
    const house = setUp({ slots: 2, maxWaitMs: 1000 })
    await teach(house, 100)
    const refusals: unknown[] = []
    for (let i = 0; i < 500; i++) {
      house.queue.run(() => new Promise(() => {})).catch((error) => refusals.push(error))
    }
    await settle()

    // Two slots end a job every 50 ms, so 20 may wait one second.
    const { running, waiting, refused } = house.queue.stats()
    expect(running).toBe(2)
    expect(waiting).toBeGreaterThanOrEqual(19)
    expect(waiting).toBeLessThanOrEqual(20)
    expect(refused).toBe(500 - 2 - waiting)
    expect(refusals[0]).toMatchObject({ code: 'busy', status: 503, retryAfterSeconds: 2 })
  })

  test('a slower machine lets fewer wait', async () => {
    const waitingAt = async (ms: number) => {
      const house = setUp({ maxWaitMs: 1000 })
      await teach(house, ms)
      for (let i = 0; i < 300; i++) house.ask('x')
      await settle()
      return house.queue.stats().waiting
    }
    expect(await waitingAt(10)).toBeGreaterThan(4 * (await waitingAt(100)))
  })

  test('the queue is bounded even when jobs seem to take no time', async () => {
    const house = setUp({ maxWaitMs: 100 })
    await teach(house, 0)
    for (let i = 0; i < 1000; i++) house.ask('x')
    await settle()
    expect(house.queue.stats().waiting).toBeLessThanOrEqual(100)
  })

  test('DS-01: an entry that waited too long after all is refused, not run late', async () => {
    const { ask, endOne, pass, names, queue } = setUp({ maxWaitMs: 1000 })
    const answers = [ask('a'), ask('b'), ask('c')]
    await settle()
    pass(5000)
    const late = ask('d')
    await endOne(0)

    expect(names()).toEqual(['d'])
    await endOne(10)
    expect(await Promise.all([...answers, late])).toEqual(['a', 'busy', 'busy', 'd'])
    expect(queue.stats()).toMatchObject({ running: 0, waiting: 0, refused: 2 })
  })

  test('one job that hung for a minute does not close the queue for good', async () => {
    const house = setUp({ maxWaitMs: 1000 })
    await teach(house, 10)
    const hung = house.ask('hung')
    await settle()
    await house.endOne(60_000)
    await hung
    await teach(house, 10)
    house.ask('a')
    const next = house.ask('b')
    await settle()
    await house.endOne(10)
    await house.endOne(10)
    expect(await next).toBe('b')
  })

  test('is reported in seconds, with the run', async () => {
    const { ask, endOne, reports } = setUp()
    const answers = Promise.all([ask('a'), ask('b')])
    await settle()
    await endOne(500)
    await endOne(250)
    await answers
    expect(reports).toEqual([
      { result: 'done', waitSeconds: 0, runSeconds: 0.5 },
      { result: 'done', waitSeconds: 0.5, runSeconds: 0.25 },
    ])
  })
})
