/** A process that starts on the database of its first argument, with the secret of its second: prints its key set. */
import { createKeyring } from '../../src/crypto.ts'
import { openDatabase } from '../../src/database/connection.ts'
import { ensureSigningKeys, loadSigningKeys } from '../../src/oidc/signing-keys.ts'

const [, , databaseUrl = '', secret = ''] = process.argv
const database = await openDatabase({ databaseUrl, dataDir: '/nowhere' })
const keyring = createKeyring([secret])
await ensureSigningKeys(database.db, keyring)
process.stdout.write(JSON.stringify((await loadSigningKeys(database.db, keyring)).published))
await database.close()
