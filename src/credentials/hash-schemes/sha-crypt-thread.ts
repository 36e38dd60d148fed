/** Runs on a thread of its own for one hash (sha-crypt.ts): `{password, salt}` in, the whole hash out. */
import { parentPort, workerData } from 'node:worker_threads'
import { encrypt } from 'unixcrypt'

const { password, salt } = workerData as { password: string; salt: string }
parentPort?.postMessage(encrypt(password, salt))
