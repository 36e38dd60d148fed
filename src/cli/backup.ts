/** `idp backup create verify restore`: everything in one file, and back. */
import type { Command } from 'commander'
import { createBackup } from '../backup/create.ts'
import { BackupError } from '../backup/format.ts'
import { isEmpty, restoreBackup } from '../backup/restore.ts'
import { readSecretKeys } from '../config/commands.ts'
import { createKeyring } from '../crypto.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { readFrom, writeTo } from './files.ts'
import { withExamples } from './help.ts'
import { confirm } from './input.ts'
import { createProgress } from './progress.ts'

type RestoreFlags = { replace?: boolean; keepSessions?: boolean; yes?: boolean; json?: boolean }

export function addBackup(program: Command, context: Context): void {
  const backup = program
    .command('backup')
    .helpCommand(false)
    .summary('everything in one file, and back')
    .description(
      'Backups: one consistent picture of the database in one file, without other programs.',
    )
  withExamples(
    backup
      .command('create <file>')
      .summary('write a backup; - is standard output')
      .description(
        'Writes everything in the database as it is at this moment, while the server runs. Secrets in it are sealed with SECRET_KEY or hashed, so keep that key apart from it, and keep it: without it a backup is worth nothing. Not in it: waiting jobs.',
      )
      .option('--json', 'print JSON')
      .action((file: string, flags: { json?: boolean }) => create(context, file, flags)),
    [
      ['backup create idp-2026-11-20.backup', 'before an upgrade'],
      ['backup create - | ssh vault "cat > idp.backup"', 'without a copy here'],
    ],
  )
  withExamples(
    backup
      .command('verify <file>')
      .summary('restore it for a moment, and sign in there')
      .description(
        'Restores a backup into a database for a moment (beside the real one, or embedded), starts a server on it, signs in there as a temporary account, and takes it all away. Needs the SECRET_KEY of the server.',
      )
      .option('--json', 'print JSON')
      .action((file: string, flags: { json?: boolean }) => verify(context, file, flags)),
    [['backup verify idp-2026-11-20.backup', 'a backup that nobody has restored is a hope']],
  )
  withExamples(
    backup
      .command('restore <file>')
      .summary('make a backup the database')
      .description(
        'Makes a backup the database: all of it, or nothing. Everybody is signed out and apps ask anew, since what was revoked after the backup would be alive again; --keep-sessions leaves them. Changes since the backup are gone: passwords, roles and accounts are as they were then. Stop the server first.',
      )
      .option('--replace', 'what is in the database now may go')
      .option(
        '--keep-sessions',
        'sessions and refresh tokens of the backup go on, revoked ones too',
      )
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((file: string, flags: RestoreFlags) => restore(context, file, flags)),
    [
      ['backup restore idp-2026-11-20.backup', 'into an empty database'],
      ['backup restore idp-2026-11-20.backup --replace --yes', 'in place of what is there'],
    ],
  )
}

function create(context: Context, file: string, flags: { json?: boolean }): Promise<void> {
  return told(
    withDatabase(
      context,
      async ({ database, io, out, config }) => {
        const progress = createProgress(io, 'rows')
        let bytes = 0
        const options = { issuer: config.issuer, actor: operator(io) }
        const made = await writeTo(io, file, (write) =>
          createBackup(
            database,
            options,
            (chunk) => {
              bytes += chunk.length
              return write(chunk)
            },
            progress.update,
          ),
        ).finally(progress.end)
        const { tables, rows, sha256, createdAt } = made
        if (flags.json && file !== '-')
          out.json({
            backup: { file, tables, rows, bytes, sha256, created_at: createdAt.toISOString() },
          })
        out.say(`Backed up ${rows} rows of ${tables} tables: ${Math.ceil(bytes / 1024)} KiB.`)
        out.say(
          'Try it: idp backup verify. Keep SECRET_KEY apart from it; without that key it is worth nothing.',
        )
      },
      { migrateFirst: false },
    ),
  )
}

async function verify(context: Context, file: string, flags: { json?: boolean }): Promise<void> {
  const { io, out } = context
  const secretKeys = readSecretKeys(io.env)
  const { chunks } = await readFrom(io, file)
  // The whole server is loaded for it.
  const { verifyBackup } = await import('../backup/verify.ts')
  const databaseUrl = io.env.DATABASE_URL || undefined
  const { createdAt, issuer, rows, migrated } = await told(
    verifyBackup(chunks, { databaseUrl, secretKeys }, out.say),
  )
  if (flags.json)
    out.json({ backup: { file, created_at: createdAt, issuer, rows, migrated, signed_in: true } })
  out.say(
    `Good: ${rows} rows of ${issuer} from ${stamp(new Date(createdAt))}. A temporary account signed in there; all of it is gone again.`,
  )
}

async function restore(context: Context, file: string, flags: RestoreFlags): Promise<void> {
  const { io } = context
  const keyring = createKeyring(readSecretKeys(io.env))
  const { chunks, size } = await readFrom(io, file)
  await told(
    withDatabase(
      context,
      async ({ database, out }) => {
        if (flags.replace && !flags.yes && !(await isEmpty(database))) {
          const question = 'Replace everything in this database, and sign everybody out?'
          if (!(await confirm(io, question))) {
            throw new CliError(exitCodes.failed, 'Nothing was changed.', [
              'Answer y, or add --yes where nobody can be asked.',
            ])
          }
        }
        const progress = createProgress(io, 'bytes read', size)
        let bytes = 0
        async function* counted() {
          for await (const chunk of chunks) {
            bytes += chunk.length
            progress.update(bytes)
            yield chunk
          }
        }
        const restored = await restoreBackup(database, counted(), {
          keyring,
          actor: operator(io),
          replace: flags.replace ?? false,
          keepSessions: flags.keepSessions ?? false,
        }).finally(progress.end)
        const { createdAt, issuer, rows, sessionsEnded, grantsEnded, migrated } = restored
        if (flags.json) {
          out.json({
            restored: {
              created_at: createdAt,
              issuer,
              rows,
              sessions_ended: sessionsEnded,
              grants_ended: grantsEnded,
              migrated,
            },
          })
        }
        out.say(`Restored ${rows} rows of ${issuer} from ${stamp(new Date(createdAt))}.`)
        out.say(
          flags.keepSessions
            ? 'Sessions go on as they were then.'
            : `Ended ${sessionsEnded} sessions and ${grantsEnded} grants: people sign in anew.`,
        )
      },
      { migrateFirst: false },
    ),
  )
}

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof BackupError)) throw error
    throw new CliError(exitCodes.refused, error.message, [error.fix], { cause: error })
  }
}
