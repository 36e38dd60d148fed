/** `idp service-settings get set delete`: what an app keeps about one of its people. */
import type { Command } from 'commander'
import {
  findServiceSettings,
  mostSettingsBytes,
  type ServiceSettings,
  writeServiceSettings,
} from '../accounts/service-settings.ts'
import { resolveClient } from './clients-find.ts'
import { type Connected, type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { confirm, readText } from './input.ts'
import { resolveUser } from './user-find.ts'

type Flags = { yes?: boolean; json?: boolean }

export function addServiceSettings(program: Command, context: Context): void {
  const group = program
    .command('service-settings')
    .helpCommand(false)
    .summary('what an app keeps about its people')
    .description(
      `Small JSON objects (${mostSettingsBytes} bytes), one for each person and app, that the app reads as the claim service_settings.`,
    )
  withExamples(
    group
      .command('get <user> <client>')
      .summary('as they are')
      .description('Prints the object; an empty one where there is none.')
      .option('--json', 'with the version of the output')
      .action((user: string, client: string, flags: Flags) => get(context, user, client, flags)),
    [['service-settings get ada Cloud', 'what Cloud is told about her']],
  )
  withExamples(
    group
      .command('set <user> <client> <file>')
      .summary('replace them as a whole')
      .description('Reads a JSON object from a file, or from standard input (-).')
      .option('--json', 'print JSON')
      .action((user: string, client: string, file: string, flags: Flags) =>
        set(context, user, client, file, flags),
      ),
    [['service-settings set ada Cloud - < quota.json', 'she has it with the next token']],
  )
  withExamples(
    group
      .command('delete <user> <client>')
      .summary('keep nothing')
      .description('Takes the object away. Asks first.')
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((user: string, client: string, flags: Flags) => remove(context, user, client, flags)),
    [['service-settings delete ada Cloud --yes', 'as before the first']],
  )
}

async function placeOf({ db }: Connected, user: string, client: string) {
  const account = await resolveUser(db, user)
  return { accountId: account.id, clientId: (await resolveClient(db, client)).id }
}

function get(context: Context, user: string, client: string, flags: Flags): Promise<void> {
  return withDatabase(context, async (connected) => {
    const { db, out } = connected
    const settings = (await findServiceSettings(db, await placeOf(connected, user, client))) ?? {}
    if (flags.json) out.json({ settings })
    else out.raw(JSON.stringify(settings, null, 2))
  })
}

async function set(
  context: Context,
  user: string,
  client: string,
  file: string,
  flags: Flags,
): Promise<void> {
  const settings = parse(await readText(context.io, file))
  await write(context, user, client, settings, flags)
}

function remove(context: Context, user: string, client: string, flags: Flags): Promise<void> {
  return write(context, user, client, null, flags)
}

function write(
  context: Context,
  user: string,
  client: string,
  settings: ServiceSettings | null,
  flags: Flags,
): Promise<void> {
  return withDatabase(context, async (connected) => {
    const { db, out, io } = connected
    const place = await placeOf(connected, user, client)
    const question = `Forget what ${client} keeps about ${user}?`
    if (settings === null && !flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    const changed = await writeServiceSettings(db, place, settings, { actor: operator(io) })
    if (flags.json) out.json({ changed })
    out.say(changed ? 'They are in tokens from the next one on.' : 'Nothing changed: it was so.')
  })
}

function parse(text: string): ServiceSettings {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CliError(exitCodes.usage, `That is no JSON: ${(error as Error).message}`)
  }
}
