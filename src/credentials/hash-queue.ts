/**
 * Lets few costly jobs run at once and few wait (security DS-01, DS-02). A permit belongs to the job: it is
 * given back when the job has ended, never because its request has gone. Whoever would have to wait longer
 * than `maxWaitMs`, judged by how long jobs really take, is refused at once; whoever leaves while waiting
 * costs nothing. What a job does is its caller's business (password-hasher.ts).
 */
import { AppError } from '../errors.ts'

type Options = {
  slots: number
  maxWaitMs: number
  onJob?: ((report: JobReport) => void) | undefined
  /** Milliseconds, monotonic. */
  clock?: () => number
}

/** `runSeconds` is 0 for a job that was refused or left before it began. */
export type JobReport = {
  result: 'done' | 'failed' | 'refused' | 'left'
  waitSeconds: number
  runSeconds: number
}

/** `done` counts every job that ran, the failed ones too. */
export type QueueStats = {
  running: number
  waiting: number
  done: number
  refused: number
  left: number
}

export type HashQueue = {
  run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T>
  stats(): QueueStats
}

type Waiting = { since: number; start: () => void; refuse: () => void }

/** A guess before the first job has been measured: slow, so that a cold start promises too little. */
const firstGuessMs = 20
/** Keeps the queue's length bounded even if jobs seem to take no time. */
const shortestMs = 1
/** Weight of the newest duration in the moving average: a slower machine is noticed within some ten jobs. */
const weight = 0.1

/** `run` throws `busy` (503) when the wait would be too long, `request_aborted` (499) when the signal fires first. */
export function createHashQueue({
  slots,
  maxWaitMs,
  onJob = () => {},
  clock = () => performance.now(),
}: Options): HashQueue {
  const queue = new Set<Waiting>()
  const counts = { running: 0, done: 0, refused: 0, left: 0 }
  let averageMs = firstGuessMs

  /** Each of the slots ends a job every `averageMs`; the newcomer starts after all that wait before it. */
  const expectedWaitMs = () => ((queue.size + 1) * Math.max(averageMs, shortestMs)) / slots

  function refuse(waitedMs: number): AppError {
    counts.refused++
    onJob({ result: 'refused', waitSeconds: waitedMs / 1000, runSeconds: 0 })
    return new AppError('busy', 503, {
      retryAfterSeconds: Math.max(1, Math.ceil(expectedWaitMs() / 1000)),
    })
  }

  /** Resolves with the permit taken. */
  function takePermit(since: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        queue.delete(entry)
        counts.left++
        onJob({ result: 'left', waitSeconds: (clock() - since) / 1000, runSeconds: 0 })
        reject(new AppError('request_aborted', 499, { cause: signal?.reason }))
      }
      const entry: Waiting = {
        since,
        start: () => {
          signal?.removeEventListener('abort', leave)
          counts.running++
          resolve()
        },
        refuse: () => {
          signal?.removeEventListener('abort', leave)
          reject(refuse(clock() - since))
        },
      }
      if (signal?.aborted) return leave()
      if (counts.running < slots) return entry.start()
      if (expectedWaitMs() > maxWaitMs) return entry.refuse()
      queue.add(entry)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  function givePermitBack() {
    counts.running--
    for (const entry of queue) {
      queue.delete(entry)
      // The estimate was wrong when jobs have become slower since; a late answer helps nobody.
      if (clock() - entry.since > maxWaitMs) entry.refuse()
      else return entry.start()
    }
  }

  return {
    async run(job, signal) {
      const since = clock()
      await takePermit(since, signal)
      const began = clock()
      let result: JobReport['result'] = 'failed'
      try {
        const value = await job()
        result = 'done'
        return value
      } finally {
        const ranMs = clock() - began
        averageMs += (ranMs - averageMs) * weight
        counts.done++
        givePermitBack()
        onJob({ result, waitSeconds: (began - since) / 1000, runSeconds: ranMs / 1000 })
      }
    },
    stats: () => ({ ...counts, waiting: queue.size }),
  }
}
