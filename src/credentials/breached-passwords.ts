/**
 * Whether a password stands in a list of stolen ones, asked of a service without telling it: five of the forty characters
 * of its SHA-1 leave (k-anonymity), the answer is padded, and what matches is found here. Off until an operator says where
 * to ask. A service that cannot be asked refuses nobody: that is logged and counted, and the person goes on.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Actor } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { Logger } from '../logger.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import { changeSetting, readSetting } from '../settings/stored-setting.ts'

/** The range API of Have I Been Pwned; others speak it too. */
export const publicRanges = 'https://api.pwnedpasswords.com/range/'

const timeoutMs = 1500
/** A range has about a thousand lines of forty bytes, and the padding as much again. */
const maxBytes = 256 * 1024
const prefixLength = 5

/** `url`: what the five characters are put behind; null for off. */
export type BreachSetting = { url: string | null }

const setting = {
  name: 'breached-passwords',
  schema: z.strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .max(500)
      .regex(/^[^?#@]*\/$/, 'ends with a slash, and has neither query nor user name')
      .nullable(),
  }),
  otherwise: { url: null },
}

/** What five characters can be put behind; undefined for what is no such address. */
export function readRangeAddress(text: string): string | undefined {
  const url = text.endsWith('/') ? text : `${text}/`
  const plain = /^https?:$/.test(URL.parse(url)?.protocol ?? '') && /^[^?#@]*$/.test(url)
  return plain ? url : undefined
}

export function readBreachSetting(db: Db): Promise<BreachSetting> {
  return readSetting<BreachSetting>(db, setting)
}

/** Throws `policy_invalid` (400). */
export function changeBreachSetting(
  db: Db,
  change: BreachSetting,
  actor: Actor,
): Promise<BreachSetting> {
  return changeSetting<BreachSetting>(db, setting, change, actor)
}

export type BreachResult = 'breached' | 'clear' | 'failed'

export type BreachedPasswords = {
  /** True only where the service knows the password. In its normal form; waits a second and a half at most. */
  has(password: string): Promise<boolean>
  /** The setting was changed, perhaps by another process. */
  forget(): void
}

export function createBreachedPasswords(options: {
  db: Db
  fetch: OutgoingFetch
  logger: Pick<Logger, 'warn'>
  onResult?: (result: BreachResult) => void
}): BreachedPasswords {
  const { db, fetch, logger, onResult } = options
  let known: Promise<BreachSetting> | undefined

  function current(): Promise<BreachSetting> {
    if (known) return known
    const reading = readBreachSetting(db)
    known = reading
    // A database that was away for a moment switches nothing off.
    reading.catch(() => {
      if (known === reading) known = undefined
    })
    return reading
  }

  return {
    async has(password) {
      const { url } = await current()
      if (url === null) return false
      try {
        const breached = await isIn(fetch, url, password)
        onResult?.(breached ? 'breached' : 'clear')
        return breached
      } catch (error) {
        const reason = error instanceof OutgoingError ? error.reason : 'not understood'
        logger.warn({ reason, host: new URL(url).host }, 'stolen passwords could not be looked up')
        onResult?.('failed')
        return false
      }
    },
    forget() {
      known = undefined
    },
  }
}

async function isIn(fetch: OutgoingFetch, url: string, password: string): Promise<boolean> {
  const hash = createHash('sha1').update(password).digest('hex').toUpperCase()
  const answer = await fetch(url + hash.slice(0, prefixLength), {
    headers: { 'add-padding': 'true', accept: 'text/plain' },
    timeoutMs,
    maxBytes,
  })
  if (answer.status !== 200) throw new Error(`a range was answered by ${answer.status}`)
  const lines = (await answer.text()).split(/\r?\n/).filter((line) => line !== '')
  const entries = lines.map((line) => /^([0-9A-F]{35}):(\d+)$/i.exec(line))
  if (entries.length === 0 || entries.includes(null)) throw new Error('a range cannot be read')
  // Padding counts zero.
  return entries.some(
    (entry) => entry?.[1]?.toUpperCase() === hash.slice(prefixLength) && Number(entry[2]) > 0,
  )
}
