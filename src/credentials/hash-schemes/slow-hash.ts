/**
 * Hashes that are computed in JavaScript because Node does not bring them: each on a thread of its own, since one of them
 * would keep everybody else waiting for a tenth of a second and more.
 */
import { Worker } from 'node:worker_threads'

/** `salt` is the beginning of the hash that it is compared with: scheme, cost and salt. */
export type SlowHash = { scheme: 'bcrypt' | 'sha-crypt'; password: string; salt: string }

/** The whole hash. Throws what the thread throws. */
export function computeSlowHash(workerData: SlowHash): Promise<string> {
  return new Promise((resolve, reject) => {
    const url = new URL('./slow-thread.ts', import.meta.url)
    const worker = new Worker(url, { workerData, execArgv: [] })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread ended without an answer')))
  })
}
