/** People with an account elsewhere that signs them in here, without anybody having been there. */
import { insertIdentity } from '../../src/federation/identities.ts'
import type { Person } from './person.ts'
import type { TestServer } from './server.ts'

let count = 0

/** Of a provider that nobody ever calls. Returns the id of the link. */
export async function giveIdentity(
  { database: { db, pool } }: Pick<TestServer, 'database'>,
  { id }: Pick<Person, 'id'>,
): Promise<string> {
  await pool.query(
    `insert into providers (id, preset, name, issuer, client_id, scope)
      values ('elsewhere', 'oidc', 'Elsewhere', 'https://up.example.com', 'us', 'openid') on conflict do nothing`,
  )
  const made = await insertIdentity(db, id, {
    providerId: 'elsewhere',
    issuer: 'https://up.example.com',
    subject: `subject-${++count}`,
    emailTrusted: false,
    roles: [],
  })
  if (made === undefined) throw new Error('the subject is taken')
  return made
}
