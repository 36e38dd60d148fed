/** `idp migrate status up`: the schema against this release. */
import type { Command } from 'commander'
import { migrationStatus } from '../database/migrate.ts'
import { stamp } from './client-view.ts'
import { type Context, migrateAll, withDatabase } from './context.ts'
import { withExamples } from './help.ts'
import type { Cell } from './output.ts'

export function addMigrate(program: Command, context: Context): void {
  const group = program
    .command('migrate')
    .helpCommand(false)
    .summary('the database schema')
    .description(
      'The database schema. The server brings it up to date when it starts; this is for looking first.',
    )
  withExamples(
    group
      .command('status')
      .summary('what is applied and what is missing')
      .description('Lists every migration of this release. Changes nothing.')
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean }) => status(context, flags)),
    [['migrate status', 'before an upgrade']],
  )
  withExamples(
    group
      .command('up')
      .summary('apply what is missing')
      .description(
        'Applies what is missing, under a lock: any number may start it at once. All of it happens, or nothing.',
      )
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean }) => up(context, flags)),
    [['migrate up', 'after the old release was stopped']],
  )
}

function status(context: Context, flags: { json?: boolean }): Promise<void> {
  const look = { migrateFirst: false }
  return withDatabase(
    context,
    async ({ database, out }) => {
      const all = await migrationStatus(database)
      if (flags.json) {
        return out.json({
          migrations: all.map(({ name, kind, appliedAt }) => ({
            name,
            kind,
            applied_at: appliedAt?.toISOString() ?? null,
          })),
        })
      }
      out.table(
        ['MIGRATION', 'KIND', 'APPLIED'],
        all.map(({ name, kind, appliedAt }): Cell[] => [
          name,
          kind,
          appliedAt ? stamp(appliedAt) : { text: 'missing', style: 'yellow' },
        ]),
      )
      const missing = all.filter(({ appliedAt }) => appliedAt === null).length
      out.say(missing === 0 ? 'The database is up to date.' : `${missing} missing: idp migrate up`)
    },
    look,
  )
}

function up(context: Context, flags: { json?: boolean }): Promise<void> {
  const look = { migrateFirst: false }
  return withDatabase(
    context,
    async ({ database, out }) => {
      const applied = await migrateAll(database)
      if (flags.json) out.json({ applied })
      else for (const name of applied) out.raw(name)
      out.say(
        applied.length === 0
          ? 'Nothing to do: the database is up to date.'
          : `Applied ${applied.length}.`,
      )
    },
    look,
  )
}
