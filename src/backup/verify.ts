/**
 * Proves that a backup can be used: it is restored into a database for a moment, a whole server is started on that, and a
 * temporary account signs in there through the real pages. Nothing of it reaches the real database, and no mail leaves.
 */
import { createServer } from 'node:net'
import { createAccount } from '../accounts/accounts.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { readConfig } from '../config.ts'
import { createPasswordHasher } from '../credentials/password-hasher.ts'
import { createKeyring, randomToken } from '../crypto.ts'
import { createLogger } from '../logger.ts'
import { startServer } from '../server.ts'
import { createVisitor } from './browser.ts'
import { BackupError } from './format.ts'
import { type Restored, restoreBackup } from './restore.ts'
import { createScratch, type Scratch } from './scratch.ts'

export type Verified = Omit<Restored, 'sessionsEnded' | 'grantsEnded'> & {
  /** Of somebody who was made for it. */
  signedIn: true
}

/** `secretKeys` are those of the deployment. Throws BackupError in words. */
export async function verifyBackup(
  chunks: AsyncIterable<Uint8Array | string>,
  where: { databaseUrl: string | undefined; secretKeys: string[] },
  onStep: (words: string) => void = () => {},
): Promise<Verified> {
  const scratch = await createScratch(where.databaseUrl)
  try {
    const restored = await restoreBackup(scratch.database, chunks, {
      keyring: createKeyring(where.secretKeys),
      actor: { kind: 'operator' },
      replace: false,
      keepSessions: false,
    })
    // Services that are told what happens are not to hear of what happens here.
    await scratch.database.pool.query('delete from webhooks')
    onStep('It restores, and SECRET_KEY opens its keys.')
    await signInThere(scratch, where.secretKeys)
    const { createdAt, issuer, rows, migrated } = restored
    return { createdAt, issuer, rows, migrated, signedIn: true }
  } finally {
    await scratch.remove()
  }
}

async function signInThere({ place, database }: Scratch, secretKeys: string[]): Promise<void> {
  const port = await freePort()
  const username = `verify_${randomToken(6)
    .replace(/[^A-Za-z0-9]/g, '')
    .toLowerCase()}x`
  const password = randomToken()
  const config = {
    ...readConfig({
      PORT: String(port),
      DATA_DIR: place.dataDir,
      ...(place.databaseUrl === undefined ? {} : { DATABASE_URL: place.databaseUrl }),
      REGISTRATION: 'closed',
      LOG_LEVEL: 'silent',
    }),
    secretKeys,
  }
  const address = canonicalEmail(`${username}@example.org`)
  if (!address.ok) throw new Error(address.code)
  const passwordHash = await createPasswordHasher({ slots: 1 }).hash(password)
  const made = await createAccount(
    database.db,
    { username, passwordHash, address },
    { kind: 'system' },
  )
  if (!made.ok) throw new Error('the temporary account is there already')
  const server = await startServer(config, createLogger({ level: 'silent' }), { crontab: '' })
  try {
    const visitor = createVisitor(config.issuer)
    const page = await visitor.get(`${config.issuer}/account`)
    const inside = await visitor.send(page, { identifier: username, password })
    // A policy may ask for a second factor next; the password has been taken then.
    if (inside.status !== 200) {
      throw new BackupError(
        `It restores, but nobody could sign in: ${inside.status} at ${new URL(inside.url).pathname.replace(/[\w-]{20,}/g, '…')}.`,
        'Is this the release that made it? See: idp doctor',
      )
    }
  } finally {
    await server.close()
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
