/** `idp exchanges allow list remove`: which client may turn whose tokens into tokens for whom (RFC 8693). */
import { type Command, Option } from 'commander'
import { findClient } from '../clients/clients.ts'
import {
  allowExchange,
  type Exchange,
  type ExchangeMode,
  exchangeModes,
  listExchanges,
  removeExchange,
} from '../clients/exchanges.ts'
import { splitScope } from '../clients/scopes.ts'
import { stamp } from './client-view.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { confirm } from './input.ts'

type Named = { audience: string; from?: string }
type ListFlags = { client?: string; json?: boolean; quiet?: boolean }
type RemoveFlags = { yes?: boolean; json?: boolean }
type AllowFlags = Named & { mode: ExchangeMode; scope?: string; json?: boolean }

export function addExchanges(program: Command, context: Context): void {
  const exchanges = program
    .command('exchanges')
    .helpCommand(false)
    .summary('which service may act with whose tokens')
    .description(
      'Token exchange (RFC 8693): which client may turn tokens of people into tokens for an API or another client. Nobody may unless it is allowed here.',
    )
  const named = (command: Command) =>
    command
      .requiredOption('--audience <api or client>', 'whom the new tokens are for')
      .option(
        '--from <client>',
        'whose tokens it may bring; without it its own and those for an API that it serves',
      )
  withExamples(
    named(
      exchanges
        .command('allow <client>')
        .summary('let a client exchange tokens')
        .description(
          'Lets a client exchange tokens for one audience. Said again it replaces what was allowed for the same three.',
        ),
    )
      .addOption(
        new Option('--mode <mode>', 'whether the new token says who acts (act)')
          .choices(exchangeModes)
          .default('delegation'),
      )
      .option(
        '--scope <scopes>',
        'the most that a new token may carry; without it never more than the one that was brought',
      )
      .option('--json', 'print JSON')
      .action((client: string, flags: AllowFlags) => allow(context, client, flags)),
    [
      [
        'exchanges allow Gateway --audience https://files.example.org --scope files:read',
        'it calls Files for whoever called it, and Files sees both',
      ],
      [
        'exchanges allow Gateway --audience https://files.example.org --from Shop --mode impersonation',
        'with tokens of Shop, as if the person called',
      ],
    ],
  )
  withExamples(
    exchanges
      .command('list')
      .summary('what is allowed')
      .description('Lists every allowed exchange.')
      .option('--client <client>', 'those of one client')
      .option('-q, --quiet', 'client and audience alone')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => list(context, flags)),
    [['exchanges list --client Gateway', 'what one service may do']],
  )
  withExamples(
    named(
      exchanges
        .command('remove <client>')
        .summary('allow it no longer')
        .description(
          'Removes what was allowed. Tokens that are out live to their end, minutes at most. Asks first.',
        ),
    )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((client: string, flags: Named & RemoveFlags) => remove(context, client, flags)),
    [['exchanges remove Gateway --audience https://files.example.org --yes', 'from a script']],
  )
}

function allow(context: Context, name: string, flags: AllowFlags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const client = await resolveClient(db, name)
    const source = flags.from === undefined ? undefined : await resolveClient(db, flags.from)
    const scopes = flags.scope === undefined ? undefined : splitScope(flags.scope)
    const { audience, mode } = flags
    const result = await allowExchange(
      db,
      { client, audience, source, mode, scopes },
      { actor: operator(io) },
    )
    if (!result.ok) throw refusal('The exchange was refused; nothing was stored.', result.problems)
    const { exchange } = result
    if (flags.json) out.json({ exchange: exchangeJson(exchange) })
    else out.fields(fieldsOf(exchange))
    out.say(
      `${client.name} may now send grant_type=urn:ietf:params:oauth:grant-type:token-exchange with ${
        exchange.audienceKind === 'api' ? 'resource' : 'audience'
      }=${exchange.audience}.`,
    )
  })
}

function list(context: Context, flags: ListFlags): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const client = flags.client === undefined ? undefined : await resolveClient(db, flags.client)
    const all = await listExchanges(db, client?.id)
    if (flags.json) return out.json({ exchanges: all.map(exchangeJson) })
    if (flags.quiet) return out.lines(all.map((one) => `${one.clientId} ${one.audience}`))
    if (all.length === 0)
      return out.say('No client may exchange tokens. The first: idp exchanges allow --help')
    out.table(
      ['CLIENT', 'AUDIENCE', 'FROM', 'MODE', 'SCOPES'],
      all.map((exchange) => [
        exchange.clientId,
        exchange.audience,
        exchange.sourceClientId ?? 'its own',
        exchange.mode,
        exchange.scopes?.join(' ') ?? 'those of the token',
      ]),
    )
  })
}

function remove(context: Context, name: string, flags: Named & RemoveFlags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const client = await resolveClient(db, name)
    const source = flags.from === undefined ? undefined : await resolveClient(db, flags.from)
    const named = (await findClient(db, flags.audience))?.id ?? flags.audience
    const exchange = (await listExchanges(db, client.id)).find(
      ({ audience, sourceClientId }) =>
        audience === named && sourceClientId === (source?.id ?? null),
    )
    const nothing = new CliError(
      exitCodes.notFound,
      `${client.name} may not exchange tokens for ${flags.audience}${source ? ` from ${source.name}` : ''}.`,
      ['See: idp exchanges list'],
    )
    if (!exchange) throw nothing
    const question = `Let ${client.name} exchange no more tokens for ${exchange.audience}?`
    if (!flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was removed.')
    }
    const { audience } = exchange
    const by = { actor: operator(io) }
    if (!(await removeExchange(db, { clientId: client.id, audience, source: source?.id }, by)))
      throw nothing
    if (flags.json) out.json({ removed: exchangeJson(exchange) })
    out.say(`Removed. ${client.name} gets no more tokens for ${audience} that way.`)
  })
}

function exchangeJson(exchange: Exchange) {
  return {
    client_id: exchange.clientId,
    audience: exchange.audience,
    audience_kind: exchange.audienceKind,
    source_client_id: exchange.sourceClientId,
    mode: exchange.mode,
    scopes: exchange.scopes,
    created_at: exchange.createdAt.toISOString(),
  }
}

function fieldsOf(exchange: Exchange): [string, string][] {
  return [
    ['Client', exchange.clientId],
    ['Audience', `${exchange.audience} (${exchange.audienceKind})`],
    ['Tokens of', exchange.sourceClientId ?? 'itself, and for APIs that it serves'],
    ['Mode', exchange.mode],
    ['Scopes', exchange.scopes?.join(' ') ?? 'never more than the token that is brought'],
    ['Since', stamp(exchange.createdAt)],
  ]
}
