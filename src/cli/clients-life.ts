/** `idp clients rotate-secret disable enable delete`: what ends something that works today. */
import type { Command } from 'commander'
import { clientJson } from '../clients/client-json.ts'
import { deleteClient, disableClient, enableClient, rotateSecret } from '../clients/client-life.ts'
import { stamp } from './client-view.ts'
import { clientNotFound, resolveClient } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { confirm, parseDuration } from './input.ts'

const longestOverlapSeconds = 90 * 86_400

type Flags = { json?: boolean }

export function addLife(clients: Command, context: Context): void {
  withExamples(
    clients
      .command('rotate-secret <client>')
      .summary('a new secret')
      .description(
        'Makes a new secret and prints it this once. The old one ends at once, or after the overlap.',
      )
      .option('--overlap <time>', 'how long the old one goes on working, such as 12h or 7d', '0')
      .option('--json', 'print JSON')
      .action((client: string, flags: Flags & { overlap: string }) =>
        rotate(context, client, flags),
      ),
    [
      ['clients rotate-secret Cloud --overlap 7d', 'time to change it in the app'],
      ['clients rotate-secret Cloud', 'it has leaked'],
    ],
  )

  withExamples(
    clients
      .command('disable <client>')
      .summary('nobody signs in to it; its tokens end')
      .description(
        'Ends the tokens of an app at once and refuses new ones. What people allowed it is remembered.',
      )
      .option('--json', 'print JSON')
      .action((client: string, flags: Flags) => setDisabled(context, client, true, flags)),
    [['clients disable Cloud', 'until it is repaired']],
  )
  withExamples(
    clients
      .command('enable <client>')
      .summary('people may sign in to it again')
      .description('Lets people sign in to an app again. Tokens that ended stay ended.')
      .option('--json', 'print JSON')
      .action((client: string, flags: Flags) => setDisabled(context, client, false, flags)),
    [['clients enable Cloud', 'it is repaired']],
  )
  withExamples(
    clients
      .command('delete <client>')
      .summary('remove it for good')
      .description(
        'Removes an app with its secrets, its tokens and what people allowed it. Asks first.',
      )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((client: string, flags: Flags & { yes?: boolean }) => remove(context, client, flags)),
    [['clients delete Cloud --yes', 'from a script']],
  )
}

async function rotate(
  context: Context,
  nameOrId: string,
  flags: Flags & { overlap: string },
): Promise<void> {
  const overlapSeconds = parseDuration(flags.overlap)
  if (overlapSeconds === undefined || overlapSeconds > longestOverlapSeconds) {
    throw new CliError(exitCodes.usage, `--overlap cannot be “${flags.overlap}”.`, [
      'Give a time such as 30m, 12h or 7d, up to 90d; 0 ends the old secret at once.',
    ])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const { id } = await resolveClient(db, nameOrId)
    const result = await rotateSecret(db, id, { overlapSeconds, actor: operator(io) })
    if (!result) throw await clientNotFound(db, nameOrId)
    if (!result.ok) {
      throw new CliError(
        exitCodes.refused,
        `${result.client.name} has no secret: it is a public client, or signs with its own key.`,
        ['To give it one: idp clients update … --auth-method client_secret_basic'],
      )
    }
    const { client, secret } = result
    if (flags.json) out.json({ client: clientJson(client, secret) })
    else
      out.fields([
        ['Client ID', client.id],
        ['Client secret', secret],
      ])
    const previous = client.secrets.find(({ expiresAt }) => expiresAt !== null)?.expiresAt
    out.say(
      previous
        ? `Shown this once. The old secret works until ${stamp(previous)}.`
        : 'Shown this once. The old secret has ended; the server follows within two seconds.',
    )
  })
}

function setDisabled(
  context: Context,
  nameOrId: string,
  disabled: boolean,
  flags: Flags,
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { id } = await resolveClient(db, nameOrId)
    const change = disabled ? disableClient : enableClient
    const result = await change(db, id, { actor: operator(io) })
    if (!result) throw await clientNotFound(db, nameOrId)
    const { client, changed } = result
    if (flags.json) out.json({ changed, client: clientJson(client) })
    const state = disabled ? 'disabled' : 'enabled'
    if (!changed) return out.say(`${client.name} was ${state} already.`)
    out.say(
      disabled
        ? `Disabled ${client.name}: its tokens have ended, and nobody can sign in to it.`
        : `Enabled ${client.name}: people can sign in to it again.`,
    )
  })
}

function remove(
  context: Context,
  nameOrId: string,
  flags: Flags & { yes?: boolean },
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const client = await resolveClient(db, nameOrId)
    const question = `Delete ${client.name} (${client.id}) with its tokens and what people allowed it?`
    if (!flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    if (!(await deleteClient(db, client.id, { actor: operator(io) })))
      throw await clientNotFound(db, nameOrId)
    if (flags.json) out.json({ deleted: clientJson(client) })
    out.say(`Deleted ${client.name} (${client.id}).`)
  })
}
