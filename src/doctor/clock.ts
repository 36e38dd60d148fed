/** This machine's clock against the database's, the issuer's and the world's: tokens are judged to the second by apps. */
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'
import { ask } from './request.ts'

const worthAWarningMs = 5_000
/** Apps forgive a minute or so. */
const worthABreakMs = 60_000

/** Answers with a Date and little else; the first that does is believed. */
const timeSources = ['https://one.one.one.one/', 'https://www.wikipedia.org/']

/** `leewayMs`: how far off the reading itself may be. */
export function judgeClock(
  check: string,
  whose: string,
  { differenceMs, leewayMs }: { differenceMs: number; leewayMs: number },
): Finding {
  const off = Math.max(0, Math.abs(differenceMs) - leewayMs)
  const seconds = Math.round(Math.abs(differenceMs) / 1000)
  if (off < worthAWarningMs) return ok(check, `the same as ${whose}`)
  const words = `${seconds} seconds ${differenceMs > 0 ? 'ahead of' : 'behind'} ${whose}`
  const repair = {
    expected: 'the same time',
    fix: 'let both machines keep time: timedatectl set-ntp true (or chrony)',
  }
  return off < worthABreakMs ? warning(check, words, repair) : broken(check, words, repair)
}

export async function checkDatabaseClock({ database, world }: Patient): Promise<Finding[]> {
  if (!database) return []
  const before = world.now()
  const { rows } = await database.pool.query<{ now: Date }>('select clock_timestamp() as now')
  const after = world.now()
  const differenceMs = (before + after) / 2 - (rows[0]?.now.getTime() ?? 0)
  return [
    judgeClock('clock.database', 'the database', { differenceMs, leewayMs: (after - before) / 2 }),
  ]
}

export async function checkIssuerClock(patient: Patient): Promise<Finding[]> {
  const seen = await readDate(patient, `${patient.config.issuer}/healthz`)
  if (!seen) return [skipped('clock.issuer', 'no answer with a Date at the issuer')]
  return [judgeClock('clock.issuer', 'what answers at the issuer', seen)]
}

export async function checkWorldClock(patient: Patient): Promise<Finding[]> {
  const check = 'clock.world'
  if (!patient.config.production) return [skipped(check, 'the issuer is on this machine')]
  for (const source of timeSources) {
    const seen = await readDate(patient, source)
    if (seen) return [judgeClock(check, new URL(source).host, seen)]
  }
  return [skipped(check, 'no way out to the internet')]
}

async function readDate({ world }: Patient, url: string) {
  const before = world.now()
  const reply = await ask(world.fetch, url, { method: 'HEAD' })
  const after = world.now()
  const date = reply.ok ? Date.parse(reply.headers.get('date') ?? '') : Number.NaN
  if (Number.isNaN(date)) return undefined
  // A Date is cut to the second, so in the middle it is half a second later.
  return { differenceMs: (before + after) / 2 - (date + 500), leewayMs: (after - before) / 2 + 500 }
}
