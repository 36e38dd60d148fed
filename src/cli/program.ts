/** The whole of `idp`: its commands, its help, and how each of them ends. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addAccess } from './access.ts'
import { addApis } from './apis.ts'
import { addApply } from './apply.ts'
import { addAudit } from './audit.ts'
import { addBackup } from './backup.ts'
import { addBlocks } from './blocks.ts'
import { addCreate, addUpdate } from './clients-create.ts'
import { addLife } from './clients-life.ts'
import { addViews } from './clients-show.ts'
import { addTest } from './clients-test.ts'
import { addCompletion } from './completion.ts'
import { type Context, createContext } from './context.ts'
import { addDoctor } from './doctor.ts'
import { type CliError, exitCodes, explain } from './errors.ts'
import { addExchanges } from './exchanges.ts'
import { addExplain } from './explain.ts'
import { addGrants } from './grants.ts'
import { addGroups } from './groups.ts'
import { overview } from './help.ts'
import { addInvites } from './invites.ts'
import type { Io } from './io.ts'
import { addIssuers } from './issuers.ts'
import { addKeys } from './keys.ts'
import { addMail } from './mail.ts'
import { addMcp } from './mcp.ts'
import { addMetadataHosts } from './metadata-hosts.ts'
import { addMigrate } from './migrate.ts'
import { addPasskeys } from './passkeys.ts'
import { addPermissions } from './permissions.ts'
import { addProviders } from './providers.ts'
import { addRegistrationTokens } from './registration-tokens.ts'
import { addRoles } from './roles.ts'
import { addServiceSettings } from './service-settings.ts'
import { addSessions } from './sessions.ts'
import { addSettings } from './settings.ts'
import { addUsers } from './users.ts'
import { addWebhooks } from './webhooks.ts'

/** Runs one command and returns its exit code. `argv` begins after the name of the program. */
export async function run(
  argv: string[],
  io: Io,
  createEngineCheck: Context['createEngineCheck'],
): Promise<number> {
  const context = createContext(io, createEngineCheck)
  const program = buildProgram(context)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    // Help and version end this way too; commander has written whatever there was to say.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    return tell(context, error, program.opts<{ verbose?: boolean }>().verbose ?? false)
  }
}

export function buildProgram(context: Context): Command {
  const { io } = context
  const program = new Command('idp')
    .description('Runs your sign-in: the apps that use it, the people, the database.')
    .version(readVersion(), '--version', 'print the version')
    .option('--verbose', 'when something fails, print everything that is known about it')
    .helpOption('-h, --help', 'print help')
    .addHelpCommand(
      new Command('help [command]').description('print help for a command').helpGroup('Running:'),
    )
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 80,
      getErrHelpWidth: () => io.stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(text.replace(/^error: /, 'idp: ')),
    })
    .addHelpText('after', overview)

  program.commandsGroup('Apps:')
  const clients = program
    .command('clients')
    .helpCommand(false)
    .summary('apps that people sign in to')
    .description('The apps that people sign in to, and programs that act for themselves.')
  addCreate(clients, context)
  addViews(clients, context)
  addUpdate(clients, context)
  addTest(clients, context)
  addLife(clients, context)
  addApis(program, context)
  addExchanges(program, context)
  addRegistrationTokens(program, context)
  addIssuers(program, context)
  addMetadataHosts(program, context)
  addMcp(program, context)
  program.commandsGroup('People:')
  addUsers(program, context)
  addInvites(program, context)
  addRoles(program, context)
  addPermissions(program, context)
  addGroups(program, context)
  addAccess(program, context)
  addServiceSettings(program, context)
  addPasskeys(program, context)
  addProviders(program, context)
  addSessions(program, context)
  addGrants(program, context)
  addBlocks(program, context)
  addSettings(program, context)
  program.commandsGroup('Running:')
  addApply(program, context)
  addDoctor(program, context)
  addKeys(program, context)
  addWebhooks(program, context)
  addAudit(program, context)
  addMail(program, context)
  addExplain(program, context)
  addMigrate(program, context)
  addBackup(program, context)
  addCompletion(program, context)
  return program
}

function tell({ out }: Context, error: unknown, verbose: boolean): number {
  const known: CliError | undefined = explain(error)
  if (known) {
    out.say(`idp: ${known.message}`)
    for (const fix of known.fixes) out.say(`  ${fix}`)
  } else {
    const words = error instanceof Error ? error.message : String(error)
    out.say(`idp: this went wrong, and it is our fault: ${words}`)
    if (!verbose) out.say('  Run it again with --verbose and send us what it prints.')
  }
  if (verbose) out.say(describe(error))
  return known?.exitCode ?? exitCodes.failed
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${describe(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
