/** `idp mcp add`: makes an MCP server an API of ours, and walks the way of a client that knows nothing but its address. */
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { type Api, createApi, listApiClients } from '../clients/apis.ts'
import { updateApi } from '../clients/change-api.ts'
import { deleteClient } from '../clients/client-life.ts'
import type { Client } from '../clients/clients.ts'
import { createClient } from '../clients/create-client.ts'
import { listMetadataHosts } from '../clients/metadata-hosts.ts'
import { listRegistrationTokens } from '../clients/registration-tokens.ts'
import { ourAddress } from '../clients/resource-metadata.ts'
import { splitScope } from '../clients/scopes.ts'
import { randomToken } from '../crypto.ts'
import { createOutgoing } from '../outgoing/outgoing.ts'
import { printCheck } from './clients-test.ts'
import { type Connected, type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { probeIssuer } from './mcp-issuer-probe.ts'
import { probeServer } from './mcp-server-probe.ts'
import type { Check } from './sign-in-probe.ts'

/** A running server looks for changes once a second. */
const noticeMs = 2000

type Flags = { scope?: string; name?: string; json?: boolean }

export function addMcp(program: Command, context: Context): void {
  const group = program
    .command('mcp')
    .helpCommand(false)
    .summary('servers of the Model Context Protocol')
    .description('MCP servers: APIs that agents find the way to by themselves.')
  withExamples(
    group
      .command('add <url>')
      .summary('register an MCP server and walk a client’s way to it')
      .description(
        'Registers the MCP server as an API and does what a client does that knows its address alone, up to where a person would sign in. Says of each step what fails and how to mend it; run it again after mending. Ends with 0 when nothing failed, 1 when something did, 6 when nobody answers at the issuer.',
      )
      .option(
        '--scope <scopes>',
        'what may be done there, separated by spaces; added to what is there',
      )
      .option('--name <name>', 'what people know it by')
      .option('--json', 'print JSON')
      .action((url: string, flags: Flags) => add(context, url, flags)),
    [
      [
        'mcp add https://notes.example.org/mcp --scope "notes:read notes:write"',
        'with the address that MCP clients POST to',
      ],
    ],
  )
}

async function add(context: Context, url: string, flags: Flags): Promise<void> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new CliError(exitCodes.usage, `“${url}” is not an address.`, [
      'Give the one that MCP clients POST to, such as https://notes.example.org/mcp.',
    ])
  }
  await withDatabase(context, async (connected) => {
    const { out, config } = connected
    const { issuer } = config
    const { api, changed } = await registerApi(connected, url, flags)
    if (changed) await setTimeout(noticeMs)
    const ours = await walkOurs(connected, api)
    if ('unreachable' in ours) {
      throw new CliError(
        exitCodes.unreachable,
        `Nobody answers at the issuer. ${ours.unreachable}.`,
        [
          'The API is registered. Start the server, or set ISSUER to where it is, and run this again.',
        ],
      )
    }
    const { fetch } = createOutgoing(config)
    const theirs = await probeServer({ url, scopes: api.scopes, issuer, fetch })
    tell(connected, api, [...theirs, ...ours.checks], flags.json ?? false)
    out.say(`Nothing that can be seen from here stands between an MCP client and ${url}.`)
  })
}

/** Throws when something failed, after saying what. */
function tell(context: Connected, api: Api, checks: Check[], json: boolean): void {
  const { out, config } = context
  const { identifier, scopes } = api
  const metadata = ourAddress(identifier, config.issuer)
  const failed = checks.filter(({ status }) => status === 'failed')
  if (json) {
    out.json({
      api: { identifier, scopes },
      resource_metadata: metadata,
      ok: failed.length === 0,
      checks,
    })
  } else {
    out.fields([
      ['API', identifier],
      ['Scopes', scopes.join(' ')],
      ['Metadata', metadata],
    ])
    out.raw('')
    for (const check of checks) printCheck(context, check)
  }
  if (failed.length === 0) return
  throw new CliError(
    exitCodes.failed,
    `${failed.length} of ${checks.length} steps failed for ${identifier}.`,
    ['Mend what is said above, and run it again.'],
  )
}

async function registerApi(
  { db, io, config }: Connected,
  identifier: string,
  flags: Flags,
): Promise<{ api: Api; changed: boolean }> {
  const actor = operator(io)
  const scopes = splitScope(flags.scope ?? '')
  const name = flags.name?.normalize('NFC')
  const made = await createApi(
    db,
    { identifier, scopes, name },
    { actor, ifNotExists: true, issuer: config.issuer },
  )
  if (!made.ok) {
    throw refusal(
      'The API was refused; nothing was stored.',
      'problems' in made ? made.problems : [],
    )
  }
  if (made.created) return { api: made.api, changed: true }
  const done = await updateApi(db, identifier, { addScopes: scopes, name }, { actor })
  if (done && !done.ok) throw refusal('The API was refused and stays as it was.', done.problems)
  return done
    ? { api: done.api, changed: done.changed.length > 0 }
    : { api: made.api, changed: false }
}

/** With a client made for the walk and taken away after it, however it ends. */
async function walkOurs(connected: Connected, { identifier: url, scopes }: Api) {
  const { db, io, config } = connected
  const known = (await listApiClients(db, url)).map(({ name }) => name)
  const by = { actor: operator(io) }
  const client = await makeProbe(connected, url, scopes)
  try {
    const [hosts, tokens] = [await listMetadataHosts(db), await listRegistrationTokens(db)]
    return await probeIssuer({ issuer: config.issuer, url, scopes, client, hosts, tokens, known })
  } finally {
    await deleteClient(db, client.id, by)
  }
}

async function makeProbe({ db, io }: Connected, url: string, scopes: string[]): Promise<Client> {
  const made = await createClient(
    db,
    {
      name: `MCP check ${randomToken(6)}`,
      preset: 'native',
      scope: scopes.length > 0 ? scopes.join(' ') : 'openid',
      apis: [url],
    },
    { actor: operator(io) },
  )
  if (!made.ok) throw new Error('the client of the check was refused')
  return made.client
}
