/**
 * Tells every process that something it keeps in memory has changed. Each name has a number that grows in the
 * transaction of the change; each process looks once a second, so a change is everywhere within two.
 */
import { sql } from 'kysely'
import type pg from 'pg'
import type { Db } from './connection.ts'

export type VersionName = 'clients' | 'keys' | 'settings' | 'blocks' | 'roles'

/** Call it in the transaction of the change: others see the number and the change together. */
export async function bumpVersion(db: Db, name: VersionName): Promise<void> {
  await sql`
    insert into versions (name, version) values (${name}, 1)
    on conflict (name) do update set version = versions.version + 1`.execute(db)
}

/**
 * The first look reports every name, so nothing that changed while the process was starting is missed.
 * A name whose `onChange` fails is reported again at the next look. `onError` hears both kinds of failure.
 */
export function watchVersions(
  pool: pg.Pool,
  onChange: (name: VersionName) => Promise<void> | void,
  intervalMs = 1000,
  onError: (error: unknown) => void = () => {},
): { stop(): void } {
  const seen = new Map<string, string>()
  let stopped = false
  let timer: NodeJS.Timeout

  async function look(): Promise<void> {
    const { rows } = await pool.query<{ name: VersionName; version: string }>(
      'select name, version from versions',
    )
    for (const { name, version } of rows) {
      if (stopped || seen.get(name) === version) continue
      try {
        await onChange(name)
        seen.set(name, version)
      } catch (error) {
        onError(error)
      }
    }
  }

  // A chain instead of an interval: a slow database is never asked twice at once.
  async function keepLooking(): Promise<void> {
    await look().catch(onError)
    if (!stopped) timer = setTimeout(keepLooking, intervalMs).unref()
  }

  timer = setTimeout(keepLooking, 0).unref()
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
