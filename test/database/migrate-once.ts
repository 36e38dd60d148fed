/** A process that migrates the database of its first argument and prints the names that it applied. */
import { openDatabase } from '../../src/database/connection.ts'
import { migrate } from '../../src/database/migrate.ts'
import { migrateJobs } from '../../src/jobs/worker.ts'

const database = await openDatabase({ databaseUrl: process.argv[2] ?? '', dataDir: '/nowhere' })
process.stdout.write(JSON.stringify(await migrate(database, [migrateJobs])))
await database.close()
