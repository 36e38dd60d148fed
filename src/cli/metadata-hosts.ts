/** `idp metadata-hosts add list remove`: whose documents may speak for an app. */
import type { Command } from 'commander'
import {
  addMetadataHost,
  listMetadataHosts,
  removeMetadataHost,
} from '../clients/metadata-hosts.ts'
import { defaultRegistrationPolicy } from '../clients/registration-tokens.ts'
import { splitScope } from '../clients/scopes.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, confirm } from './input.ts'
import { didYouMean } from './text.ts'

type Flags = { json?: boolean }
type AddFlags = Flags & { scope?: string; api?: string[] }

export function addMetadataHosts(program: Command, context: Context): void {
  const { scopes } = defaultRegistrationPolicy
  const group = program
    .command('metadata-hosts')
    .helpCommand(false)
    .summary('whose documents may speak for an app')
    .description(
      'Hosts of Client ID Metadata Documents: an app whose client id is an address there needs no registration. People are told that nobody has checked it. Without a host there are no such apps, and nothing is fetched.',
    )
  withExamples(
    group
      .command('add <host>')
      .summary('take the word of this host')
      .description(
        'Allows a host, or changes what its apps may ask for; that ends the tokens that they have.',
      )
      .option('--scope <scopes>', `what they may ask for; not given: ${scopes.join(' ')}`)
      .option('--json', 'print JSON')
      .option(
        '--api <identifier>',
        'the API that a scope belongs to, or all of one; may be repeated',
        collect,
      )
      .action((host: string, flags: AddFlags) => add(context, host, flags)),
    [
      ['metadata-hosts add claude.ai', 'its agents may sign people in'],
      ['metadata-hosts add vscode.dev --scope "openid notes:read"', 'and use this API'],
    ],
  )
  withExamples(
    group
      .command('list')
      .summary('every host')
      .description('Lists the hosts with what their apps may ask for.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Flags & { quiet?: boolean }) => list(context, flags)),
    [['metadata-hosts list', 'whom we believe']],
  )
  withExamples(
    group
      .command('remove <host>')
      .summary('its apps are nobody any more')
      .description(
        'Takes a host back. Its apps, their tokens and what people allowed them end. Asks first.',
      )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((host: string, flags: Flags & { yes?: boolean }) => remove(context, host, flags)),
    [['metadata-hosts remove claude.ai --yes', 'from a script; in force within two seconds']],
  )
}

function add(context: Context, host: string, flags: AddFlags): Promise<void> {
  const wanted =
    flags.scope === undefined ? defaultRegistrationPolicy.scopes : splitScope(flags.scope)
  return withDatabase(context, async ({ db, out, io }) => {
    const done = await addMetadataHost(
      db,
      { host, scopes: wanted, apis: flags.api ?? [] },
      { actor: operator(io) },
    )
    if (!done.ok) throw refusal('The host was refused; nothing was stored.', done.problems)
    const { changed, scopes } = done
    if (flags.json) return out.json({ changed, metadata_host: { host, scopes } })
    out.say(
      changed
        ? `Apps whose client id begins with https://${host}/ may sign people in, for: ${scopes.join(' ')}.`
        : `${host} was allowed already and stays as it is.`,
    )
  })
}

function list(context: Context, flags: Flags & { quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const hosts = await listMetadataHosts(db)
    if (flags.json) {
      return out.json({
        metadata_hosts: hosts.map(({ host, scopes, createdAt }) => ({
          host,
          scopes,
          created_at: createdAt,
        })),
      })
    }
    if (flags.quiet) return out.lines(hosts.map(({ host }) => host))
    if (hosts.length === 0) {
      return out.say('No host is allowed. The first: idp metadata-hosts add --help')
    }
    out.table(
      ['HOST', 'SINCE', 'SCOPES'],
      hosts.map(({ host, scopes, createdAt }) => [host, stamp(createdAt), scopes.join(' ')]),
    )
  })
}

function remove(context: Context, host: string, flags: Flags & { yes?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const hosts = (await listMetadataHosts(db)).map((known) => known.host)
    if (!hosts.includes(host)) {
      const near = didYouMean(host, hosts)
      throw new CliError(exitCodes.notFound, `The host “${host}” is not allowed.`, [
        near ? `Did you mean ${near}?` : 'See: idp metadata-hosts list',
      ])
    }
    if (!flags.yes && !(await confirm(io, `Remove ${host} and sign everybody out of its apps?`))) {
      throw new CliError(exitCodes.failed, 'Nothing was removed.')
    }
    const removed = await removeMetadataHost(db, host, { actor: operator(io) })
    if (flags.json) return out.json({ removed, host })
    out.say(`Removed ${host}. Its apps are nobody within two seconds; their tokens have ended.`)
  })
}
