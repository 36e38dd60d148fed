/** `idp apis create list get`: what tokens may be for. Changing and deleting are apis-change.ts. */
import type { Command } from 'commander'
import { apiJson } from '../clients/api-json.ts'
import { type Api, createApi, findApi, listApiClients, listApis } from '../clients/apis.ts'
import { apiMetadata, ourAddress, ownAddress } from '../clients/resource-metadata.ts'
import { splitScope } from '../clients/scopes.ts'
import type { Db } from '../database/connection.ts'
import { type ApiFlags, addApiOptions, readApiFlags, showApi } from './api-view.ts'
import { addApiChanges } from './apis-change.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { didYouMean } from './text.ts'

type CreateFlags = ApiFlags & { ifNotExists?: boolean }

export function addApis(program: Command, context: Context): void {
  const apis = program
    .command('apis')
    .helpCommand(false)
    .summary('what tokens may be for')
    .description('APIs (resource servers). Apps that may use one get access tokens for it.')
  const command = apis
    .command('create <identifier>')
    .summary('register an API')
    .description(
      'Registers an API. The identifier is the audience of its tokens, letter by letter.',
    )
    .option('--scope <scopes>', 'what may be done there, separated by spaces')
  withExamples(
    addApiOptions(command)
      .option('--if-not-exists', 'leave an API of that identifier as it is')
      .option('--json', 'print JSON')
      .action((identifier: string, flags: CreateFlags) => create(context, identifier, flags)),
    [
      [
        'apis create https://api.example.org --name Files --scope "files:read files:write"',
        'an API with two scopes',
      ],
      [
        'apis create https://bank.example.org --authorization-type payment --schema payment.json',
        'and one where single payments are asked for',
      ],
      ['clients update Robot --api https://api.example.org', 'and who may call it'],
    ],
  )
  withExamples(
    apis
      .command('list')
      .summary('every API')
      .description('Lists every API with its scopes.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean; quiet?: boolean }) => list(context, flags)),
    [['apis list', 'identifiers and scopes']],
  )
  withExamples(
    apis
      .command('get <identifier>')
      .summary('one API and who may call it')
      .description(
        'Shows one API and the apps that may call it; or the metadata that apps look for at its address (RFC 9728).',
      )
      .option('--metadata', 'print the document that it serves, or points to at ours')
      .option('--json', 'print JSON')
      .action((identifier: string, flags: GetFlags) => get(context, identifier, flags)),
    [
      ['apis get https://api.example.org', 'who may call it'],
      ['apis get https://api.example.org --metadata > metadata.json', 'for its web server'],
    ],
  )
  addApiChanges(apis, context, resolveApi)
}

async function create(context: Context, identifier: string, flags: CreateFlags): Promise<void> {
  const given = await readApiFlags(context.io, flags)
  await withDatabase(context, async ({ db, out, io, config }) => {
    const result = await createApi(
      db,
      { identifier, scopes: splitScope(flags.scope ?? ''), ...given },
      { actor: operator(io), ifNotExists: flags.ifNotExists ?? false, issuer: config.issuer },
    )
    if (!result.ok && result.reason === 'invalid') {
      throw refusal('The API was refused; nothing was stored.', result.problems)
    }
    if (!result.ok) {
      throw new CliError(exitCodes.conflict, `There is an API ${identifier} already.`, [
        'Add --if-not-exists to leave it as it is.',
      ])
    }
    if (flags.json) out.json({ created: result.created, api: apiJson(result.api) })
    else showApi(out, result.api)
    out.say(
      result.created
        ? `Created ${identifier}. Say who may call it: idp clients update APP --api ${identifier}`
        : `${identifier} exists already and was left as it is.`,
    )
  })
}

function list(context: Context, flags: { json?: boolean; quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listApis(db)
    if (flags.json) return out.json({ apis: all.map(apiJson) })
    if (flags.quiet) return out.lines(all.map(({ identifier }) => identifier))
    out.table(
      ['IDENTIFIER', 'NAME', 'TOKENS', 'LIVE', 'SCOPES'],
      all.map((api) => [
        api.identifier,
        api.name,
        api.tokenFormat === 'jwt' ? api.tokenAlg : api.tokenFormat,
        `${api.tokenLifetimeSeconds} s`,
        api.scopes.join(' '),
      ]),
    )
  })
}

type GetFlags = { json?: boolean; metadata?: boolean }

function get(context: Context, identifier: string, flags: GetFlags): Promise<void> {
  return withDatabase(context, async ({ db, out, config: { issuer } }) => {
    const api = await resolveApi(db, identifier)
    if (flags.metadata) {
      out.raw(JSON.stringify(apiMetadata(api, issuer), null, 2))
      const own = ownAddress(identifier)
      const at = ourAddress(identifier, issuer)
      if (own !== undefined && own !== at) out.say(`Serve it at ${own}`)
      return out.say(`or answer 401 with WWW-Authenticate: Bearer resource_metadata="${at}"`)
    }
    const clients = await listApiClients(db, identifier)
    if (flags.json)
      return out.json({ api: { ...apiJson(api), clients: clients.map(({ id }) => id) } })
    showApi(
      out,
      api,
      clients.map(({ id, name }) => `${name} (${id})`),
    )
  })
}

/** Throws "not found", with the nearest one there is. */
async function resolveApi(db: Db, identifier: string): Promise<Api> {
  const api = await findApi(db, identifier)
  if (api) return api
  const near = didYouMean(
    identifier,
    (await listApis(db)).map((known) => known.identifier),
  )
  throw new CliError(exitCodes.notFound, `There is no API ${identifier}.`, [
    near ? `Did you mean ${near}?` : 'See: idp apis list',
  ])
}
