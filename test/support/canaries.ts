/** Secrets that travelled in a test, and the search for their traces where none may be. */
import type pg from 'pg'
import { expect } from 'vitest'
import type { Visitor } from '../../src/demo/visitor.ts'

export type Canaries = ReturnType<typeof createCanaries>

export function createCanaries() {
  const secrets = new Map<string, string>()
  return { keep, keepCookies, expectNone, expectNoneStored }

  function keep(what: string, value: string | undefined): void {
    expect(value, what).toBeTruthy()
    secrets.set(`${what} ${secrets.size}`, value as string)
  }

  function keepCookies(visitor: Visitor): void {
    for (const { name, value } of visitor.cookies.values()) {
      // A language is told to anybody.
      if (!name.endsWith('locale')) keep(`cookie ${name}`, value)
    }
  }

  function expectNone(where: string, text: string): void {
    for (const [what, secret] of secrets) {
      const found = tracesOf(secret).exec(text)
      const around = found && text.slice(Math.max(0, found.index - 120), found.index + 120)
      expect(around, `${what} in ${where}`).toBeNull()
    }
  }

  /** In no row of any table. */
  async function expectNoneStored(pool: pg.Pool): Promise<void> {
    const { rows: tables } = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema')`,
    )
    expect(tables.length).toBeGreaterThan(20)
    for (const { name } of tables) {
      const { rows } = await pool.query<{ text: string }>(`select t::text as text from ${name} t`)
      expectNone(name, rows.map(({ text }) => text).join('\n'))
    }
  }
}

/** The secret as text, and its bytes as PostgreSQL prints them. */
function tracesOf(secret: string): RegExp {
  const hex = [Buffer.from(secret).toString('hex')]
  if (secret.length >= 32) hex.push(Buffer.from(secret, 'base64url').toString('hex'))
  const text = secret.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<![\\w.])${text}(?!\\w)|${hex.join('|')}`)
}
