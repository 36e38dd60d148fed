/** Runs on a thread of its own for one hash (slow-hash.ts): what to make of which password in, the whole hash out. */
import { parentPort, workerData } from 'node:worker_threads'
import { hashSync } from 'bcryptjs'
import { encrypt } from 'unixcrypt'
import type { SlowHash } from './slow-hash.ts'

const { scheme, password, salt } = workerData as SlowHash
const hash = scheme === 'bcrypt' ? hashSync(password, salt) : encrypt(password, salt)
parentPort?.postMessage(hash)
