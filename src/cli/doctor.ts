/** `idp doctor`: looks at everything that sign-ins hang on, and names each mistake with its repair. Changes nothing. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { type Config, examineConfig } from '../config.ts'
import { type Database, openDatabase } from '../database/connection.ts'
import { examine, withoutSecrets } from '../doctor/examine.ts'
import { broken, type Finding, type State } from '../doctor/finding.ts'
import { createWorld, isWrong, type World } from '../doctor/patient.ts'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import type { Style } from './output.ts'
import { printable } from './text.ts'

type Flags = { offline?: boolean; dkimSelector?: string; json?: boolean }

const styles: Record<State, Style> = {
  ok: 'green',
  warning: 'yellow',
  broken: 'red',
  skipped: 'dim',
}

export function addDoctor(program: Command, context: Context): void {
  withExamples(
    program
      .command('doctor')
      .summary('look at everything, and say how to mend it')
      .description(
        'Looks at settings, proxy, cookies, clock, TLS, discovery, database, keys, mail and apps, a line each: what was seen, what was expected, and what repairs it. Changes nothing. Ends with 0 when nothing is broken, 1 when something is, 6 when the database is not reachable.',
      )
      .option('--offline', 'ask nobody but the database')
      .option('--dkim-selector <name>', 'the name under which your mail server’s key stands in DNS')
      .option('--json', 'print JSON')
      .action((flags: Flags) => doctor(context, flags)),
    [
      ['doctor', 'after a change of the proxy, or at night'],
      ['doctor --offline', 'without network'],
      ['doctor --dkim-selector mail --json', 'for a program that watches'],
    ],
  )
}

/** `world` is for tests. */
export async function doctor(
  context: Context,
  flags: Flags,
  world?: (config: Config) => Partial<World>,
): Promise<void> {
  const { config, problems } = examineConfig(context.io.env)
  const opened = isWrong({ problems }, 'DATABASE_URL') ? {} : await open(config)
  const { database, unreachable } = opened
  try {
    const findings = await examine(
      {
        config,
        problems,
        database,
        world: { ...createWorld(config), ...world?.(config) },
        engineCheck: context.createEngineCheck(config.issuer, config.allowPrivateTargets),
        dkimSelector: flags.dkimSelector,
      },
      { offline: flags.offline ?? false },
    )
    report(context, unreachable ? [unreachable, ...findings] : findings, flags)
    conclude(context, findings, unreachable)
  } finally {
    await database?.close()
  }
}

/** One that was never made is not made here either. */
async function open(config: Config): Promise<{ database?: Database; unreachable?: Finding }> {
  const { databaseUrl, dataDir } = config
  const away = (words: string, fix: string) => ({
    unreachable: withoutSecrets(
      broken('database.reachable', words, { expected: 'a database that answers', fix }),
      config,
    ),
  })
  if (databaseUrl === undefined && !existsSync(join(dataDir, 'postgres'))) {
    return away(
      `there is none yet in ${dataDir}`,
      'start the server once (npm start), or set DATABASE_URL or DATA_DIR as the server has it',
    )
  }
  let database: Database | undefined
  try {
    database = await openDatabase({
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
      dataDir,
      poolSize: 4,
      applicationName: 'idp-doctor',
    })
    await database.pool.query('select 1')
    return { database }
  } catch (error) {
    await database?.close().catch(() => {})
    const words = (error as Error).message || 'no connection'
    return away(
      words,
      databaseUrl === undefined
        ? `look at ${join(dataDir, 'postgres.log')}`
        : 'check DATABASE_URL, and that PostgreSQL is running and reachable from here',
    )
  }
}

function report({ out }: Context, findings: Finding[], { json }: Flags): void {
  const counts = Object.fromEntries(
    (['ok', 'warning', 'broken', 'skipped'] as const).map((state) => [
      state,
      findings.filter((finding) => finding.state === state).length,
    ]),
  )
  if (json) {
    out.json({ ok: counts.broken === 0, counts, checks: findings })
    return
  }
  for (const { check, state, seen, expected, fix } of findings) {
    const wanted = expected === undefined ? '' : `; expected: ${printable(expected)}`
    out.raw(`${out.style(styles[state], state.padEnd(8))} ${check}: ${printable(seen)}${wanted}`)
    if (fix !== undefined) out.raw(`         ${out.style('dim', '→')} ${printable(fix)}`)
  }
}

function conclude({ out }: Context, findings: Finding[], unreachable: Finding | undefined): void {
  const count = (state: State) => findings.filter((finding) => finding.state === state).length
  if (unreachable) {
    throw new CliError(
      exitCodes.unreachable,
      'The database is not reachable, so not everything could be looked at.',
    )
  }
  const warnings = count('warning')
  if (count('broken') > 0) {
    throw new CliError(exitCodes.failed, `${count('broken')} broken, ${warnings} to look at.`)
  }
  out.say(warnings > 0 ? `Nothing is broken; ${warnings} to look at.` : 'Nothing is broken.')
}
