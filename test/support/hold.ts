/** Makes whoever writes to a table wait, so that a test decides which of two requests is first. */
import type pg from 'pg'

export type Held = {
  /** Resolves when this many writers wait. */
  waiters(count: number): Promise<void>
  release(): Promise<void>
}

/** With `readers` whoever reads it waits as well. */
export async function holdTable(
  pool: pg.Pool,
  table: string,
  { readers = false }: { readers?: boolean } = {},
): Promise<Held> {
  const client = await pool.connect()
  await client.query('begin')
  await client.query(
    `lock table ${table} in ${readers ? 'access exclusive' : 'share row exclusive'} mode`,
  )
  return {
    async waiters(count) {
      for (let attempt = 0; attempt < 250; attempt++) {
        const { rows } = await client.query(
          'select 1 from pg_locks where relation = $1::regclass and not granted',
          [table],
        )
        if (rows.length >= count) return
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      throw new Error(`nobody waits for ${table}`)
    },
    async release() {
      await client.query('commit')
      client.release()
    },
  }
}

/** Lets `act` come to its writing (or reading) of the table and ends its connection there, as a crash would. */
export async function cutOff<T>(
  pool: pg.Pool,
  table: string,
  act: () => Promise<T>,
  options: { readers?: boolean } = {},
): Promise<T> {
  const held = await holdTable(pool, table, options)
  const answer = act()
  try {
    await held.waiters(1)
    await pool.query(
      `select pg_terminate_backend(pid) from pg_locks
       where relation = $1::regclass and not granted`,
      [table],
    )
  } finally {
    await held.release()
  }
  return answer
}
