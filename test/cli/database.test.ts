import { describe, expect, test } from 'vitest'
import { createDatabase } from '../support/database.ts'
import { createIdp, runWith } from './support.ts'

describe('migrate', async () => {
  const empty = await createDatabase({ empty: true })
  const idp = createIdp(empty.url)

  test('status looks and changes nothing; up applies, a second time nothing', async () => {
    const missing = await idp(['migrate', 'status', '--json'])
    expect(missing.code).toBe(0)
    const { migrations } = JSON.parse(missing.stdout)
    expect(migrations[0]).toEqual({ name: '0001_accounts', kind: 'compatible', applied_at: null })
    expect((await idp(['migrate', 'status'])).stderr).toContain(
      `${migrations.length} missing: idp migrate up`,
    )

    const up = await idp(['migrate', 'up', '--json'])
    expect(JSON.parse(up.stdout).applied).toEqual(
      migrations.map(({ name }: { name: string }) => name),
    )
    expect(JSON.parse((await idp(['migrate', 'up', '--json'])).stdout)).toEqual({
      version: 1,
      applied: [],
    })
    expect((await idp(['migrate', 'status'])).stderr).toContain('up to date')
  })
})

describe('a database that is empty or older', () => {
  test('is brought up to date by the first command, which says so on stderr', async () => {
    const empty = await createDatabase({ empty: true })
    const idp = createIdp(empty.url)
    const first = await idp(['clients', 'list', '--json'])
    expect(first.code).toBe(0)
    expect(JSON.parse(first.stdout)).toEqual({ version: 1, clients: [] })
    expect(first.stderr).toContain('Brought the database up to date: 0001_accounts')
    expect((await idp(['clients', 'list', '--json'])).stderr).toBe('')
  })

  test('several commands at once on it all work', async () => {
    const empty = await createDatabase({ empty: true })
    const idp = createIdp(empty.url)
    const all = await Promise.all(
      Array.from({ length: 4 }, () => idp(['clients', 'list', '--json'])),
    )
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  })
})

test('a database of a newer release is left alone, in words (1)', async () => {
  const newer = await createDatabase()
  await newer.pool.query(
    "insert into kysely_migration (name, timestamp) values ('9999_future', now()::text)",
  )
  const { code, stderr } = await createIdp(newer.url)(['migrate', 'up'])
  expect(code).toBe(1)
  expect(stderr).toContain('9999_future')
})

describe('what stands in the way is said in words, without a stack trace', () => {
  test.each([
    [
      'nobody listens',
      { DATABASE_URL: 'postgres://idp:PASSWORD@127.0.0.1:1/idp' },
      6,
      'The database does not answer',
    ],
    [
      'no such host',
      { DATABASE_URL: 'postgres://idp:PASSWORD@nowhere.invalid/idp' },
      6,
      'The database does not answer',
    ],
    ['a directory that cannot be', { DATA_DIR: import.meta.filename }, 6, 'DATA_DIR'],
    [
      'wrong settings',
      { DATABASE_URL: 'mysql://x', ISSUER: 'https://id.example.org/' },
      2,
      'DATABASE_URL: ',
    ],
    ['an issuer without TLS', { ISSUER: 'http://id.example.org' }, 2, 'ISSUER: must be https'],
  ])('%s', async (_, env, code, words) => {
    const ran = await runWith(['clients', 'list'], { env })
    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toContain(words)
    expect(ran.stderr).not.toMatch(/PASSWORD|\n\s+at /)
  })

  test('with --verbose the trace is there for those who ask', async () => {
    const env = { DATABASE_URL: 'postgres://idp:PASSWORD@127.0.0.1:1/idp' }
    const { stderr } = await runWith(['clients', 'list', '--verbose'], { env })
    expect(stderr).toMatch(/\n\s+at /)
    expect(stderr).not.toContain('PASSWORD')
  })
})
