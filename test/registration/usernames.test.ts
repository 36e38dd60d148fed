import { expect, test } from 'vitest'
import { begin } from '../../src/registration/begin.ts'
import { checkAvailability } from '../../src/registration/usernames.ts'
import { createDatabase } from '../support/database.ts'
import { createDeps, letTimePass, mustBegin, newcomer } from './newcomers.ts'

const { db } = await createDatabase()
const deps = createDeps(db)

test('fifty at once with one username make one account (RC-06)', async () => {
  const attempts = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      begin(deps, newcomer({ username: 'wanted', email: `fan${index}@example.org` })),
    ),
  )
  expect(attempts.filter(({ ok }) => ok)).toHaveLength(1)
  for (const refused of attempts.filter(({ ok }) => !ok)) {
    expect(refused).toEqual({ ok: false, errors: [{ field: 'username', code: 'username_taken' }] })
  }
  const left = await db
    .selectFrom('registrations')
    .select('id')
    .where('username', '=', 'wanted')
    .execute()
  expect(left).toHaveLength(1)
})

test('a username is held as long as its registration lives, and not longer', async () => {
  const { id } = await mustBegin(deps, { username: 'squatter' })
  const check = () => checkAvailability(db, 'squatter', deps.config)
  expect(await check()).toEqual({ available: false, code: 'username_taken' })
  await letTimePass(db, id, '24 hours')
  expect(await check()).toEqual({ available: true, username: 'squatter' })
  expect(await begin(deps, newcomer({ username: 'squatter' }))).toMatchObject({ ok: true })
})

test('a spelling that only needs mending is answered with the mended name', async () => {
  expect(await checkAvailability(db, 'Grace Hopper', deps.config)).toEqual({
    available: false,
    code: 'username_invalid',
    suggestion: 'grace_hopper',
  })
})
