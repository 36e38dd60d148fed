/** People move from one deployment to another and sign in there as before; so do those of a system that kept bcrypt. */
import { mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import { expect, test } from 'vitest'
import { createIdp } from '../cli/support.ts'
import { fileOf, lineOf } from '../moving/people.ts'
import { createBrowser, createPerson, password, signInAt } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'

const [there, here] = await Promise.all([startTestServer(), startTestServer()])
const old = createIdp(there.database.url, { ISSUER: there.origin })
const idp = createIdp(here.database.url, { ISSUER: here.origin })
const folder = mkdtempSync(join(tmpdir(), 'idp-moving-'))

const hashOf = async (username: string) =>
  (
    await here.database.pool.query('select password_hash from accounts where username = $1', [
      username,
    ])
  ).rows[0]?.password_hash

async function signIn(username: string, typed = password) {
  const visitor = createBrowser(here)
  return signInAt(visitor, await visitor.get(`${here.origin}/account`), {
    username,
    password: typed,
  })
}

test('done-when 3: exported there with hashes, imported here, signed in with the old password', async () => {
  const ada = await createPerson(there, { username: 'ada', roles: ['admin'] })
  const file = join(folder, 'people.jsonl')
  const exported = await old(['users', 'export', file, '--with-hashes'])
  expect([exported.code, exported.stderr]).toEqual([
    0,
    expect.stringContaining('Exported 1 accounts'),
  ])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect((await old(['users', 'export', file])).code).toBe(4)

  expect((await idp(['users', 'import', file])).code).toBe(0)
  const page = await signIn('ada@example.org')
  expect(page.url).toBe(`${here.origin}/account`)
  const { rows } = await here.database.pool.query('select id from accounts')
  expect(rows).toEqual([{ id: ada.id }])
})

test('done-when 3: a bcrypt account signs in, and has our own hash from then on', async () => {
  const hash = hashSync(password, 6)
  await idp(['users', 'import', '-'], { stdin: fileOf(lineOf('bob', { password_hash: hash })) })
  expect((await signIn('bob', 'a long and quiet lake')).url).toContain('/sign-in/')
  expect(await hashOf('bob')).toBe(hash)
  // PW-12: at once, both are in and the hash is ours.
  const both = await Promise.all([signIn('bob'), signIn('bob')])
  expect(both.map(({ url }) => url)).toEqual([`${here.origin}/account`, `${here.origin}/account`])
  expect(await hashOf('bob')).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect((await signIn('bob')).url).toBe(`${here.origin}/account`)
})

test('a password that is longer than bcrypt looks opens its account, and bcrypt stays', async () => {
  const long = `${'quiet river '.repeat(6)}bank`
  const hash = hashSync(long, 4)
  await idp(['users', 'import', '-'], { stdin: fileOf(lineOf('eve', { password_hash: hash })) })
  expect((await signIn('eve', long)).url).toBe(`${here.origin}/account`)
  expect(await hashOf('eve')).toBe(hash)
})
