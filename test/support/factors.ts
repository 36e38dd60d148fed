/** People with a second factor, and the codes that their app would show. */
import { Secret, TOTP } from 'otpauth'
import {
  addAuthenticator,
  beginAuthenticator,
  reopenSetUp,
} from '../../src/credentials/authenticators.ts'
import { createKeyring, type Keyring } from '../../src/crypto.ts'
import { createPerson, type Person } from './person.ts'
import type { TestServer } from './server.ts'

export type Holder = Person & { secret: string }

/** As the server's own: what is sealed here opens there. */
export function keyringOf(server: Pick<TestServer, 'config'>): Keyring {
  return createKeyring(server.config.secretKeys)
}

/** The code of this moment, or of `steps` half minutes from now. */
export function codeOf(secret: string, steps = 0): string {
  const totp = new TOTP({ secret: Secret.fromBase32(secret.replaceAll(' ', '')) })
  return totp.generate({ timestamp: Date.now() + steps * 30_000 })
}

/** Proven and active, with an authenticator that has just been set up. Its codes from this step on have not been used. */
export async function createHolder(server: TestServer): Promise<Holder> {
  const person = await createPerson(server)
  return { ...person, secret: await giveAuthenticator(server, person) }
}

export async function giveAuthenticator(
  server: Pick<TestServer, 'config' | 'database'>,
  person: Person,
): Promise<string> {
  const { db, pool } = server.database
  const keyring = keyringOf(server)
  const setting = { accountId: person.id, username: person.username, place: 'test' }
  const { ticket } = beginAuthenticator(keyring, setting, 'idp')
  const setUp = reopenSetUp(keyring, ticket, setting, 'idp')
  if (!setUp) throw new Error('the set-up does not open')
  const added = await addAuthenticator({ db, keyring }, setUp, {
    accountId: person.id,
    name: 'Phone',
    code: codeOf(setUp.secret),
  })
  if (!added.ok) throw new Error(added.code)
  await pool.query('update authenticators set last_step = last_step - 10 where id = $1', [added.id])
  return setUp.secret
}
