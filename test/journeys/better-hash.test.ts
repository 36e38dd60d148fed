/** Hashes of weaker parameters become today's when their password is at hand, once, and never over a new password. */
import { hash as argon2 } from '@node-rs/argon2'
import { expect, test } from 'vitest'
import { findByIdentifier } from '../../src/accounts/accounts.ts'
import { createBrowser, createPerson, type Person, password, signInAt } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const weak = { memoryCost: 8192, timeCost: 1, parallelism: 1, outputLen: 32 }

/** Made when computers were slower. */
async function createVeteran(): Promise<Person & { old: string }> {
  const person = await createPerson(server)
  const old = await argon2(password, weak)
  await setHash(person, old)
  return { ...person, old }
}

async function setHash({ id }: Person, passwordHash: string): Promise<void> {
  await db.updateTable('accounts').set({ passwordHash }).where('id', '=', id).execute()
}

const hashOf = async ({ username }: Person) => (await findByIdentifier(db, username))?.passwordHash

async function signIn(person: Person, given = password) {
  const browser = createBrowser(server)
  const page = await browser.get(`${server.origin}/sign-in`)
  return signInAt(browser, page, { ...person, password: given })
}

test('PW-11 a sign-in replaces it, a wrong password does not, and the next one leaves it alone', async () => {
  const person = await createVeteran()
  expect((await signIn(person, 'not the password at all')).status).toBe(422)
  expect(await hashOf(person)).toBe(person.old)
  expect((await signIn(person)).url).toBe(`${server.origin}/account`)
  const better = await hashOf(person)
  expect(better).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect((await signIn(person)).url).toBe(`${server.origin}/account`)
  expect(await hashOf(person)).toBe(better)
})

test('five at once all come in, and one hash stays', async () => {
  const person = await createVeteran()
  const pages = await Promise.all(Array.from({ length: 5 }, () => signIn(person)))
  expect(pages.map(({ url }) => url)).toEqual(Array(5).fill(`${server.origin}/account`))
  const better = await hashOf(person)
  expect(better).not.toBe(person.old)
  expect((await signIn(person)).url).toBe(`${server.origin}/account`)
})
