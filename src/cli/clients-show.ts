/** `idp clients list get presets`: what is registered, and what could be. */
import type { Command } from 'commander'
import { clientJson } from '../clients/client-json.ts'
import { listClients } from '../clients/clients.ts'
import { findPreset, presets } from '../clients/presets.ts'
import { setupOf, showClient, showSetup } from './client-view.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import type { Cell } from './output.ts'
import { didYouMean } from './text.ts'

type Flags = { json?: boolean }

export function addViews(clients: Command, context: Context): void {
  withExamples(
    clients
      .command('list')
      .summary('every app')
      .description('Lists every app by name.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Flags & { quiet?: boolean }) => list(context, flags)),
    [['clients list --json', 'for a program']],
  )
  withExamples(
    clients
      .command('get <client>')
      .summary('one app, by name or id')
      .description('Shows one app. Its secret is stored as a hash and cannot be shown.')
      .option('--setup', 'print the configuration to paste on the app’s side again')
      .option('--json', 'print JSON')
      .action((client: string, flags: Flags & { setup?: boolean }) => get(context, client, flags)),
    [['clients get Cloud --setup', 'with what its own settings should say']],
  )
  withExamples(
    clients
      .command('presets [preset]')
      .summary('what kinds of apps we know')
      .description('Lists the presets, or shows one with the configuration it prints.')
      .option('--json', 'print JSON')
      .action((preset: string | undefined, flags: Flags) => showPresets(context, preset, flags)),
    [['clients presets grafana', 'what it registers and what to paste into Grafana']],
  )
}

function list(context: Context, flags: Flags & { quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listClients(db)
    if (flags.json) return out.json({ clients: all.map((client) => clientJson(client)) })
    if (flags.quiet) {
      for (const { id } of all) out.raw(id)
      return
    }
    if (all.length === 0)
      return out.say('No app is registered yet. The first: idp clients create --help')
    const rows = all.map((client): Cell[] => [
      client.name,
      client.id,
      client.registeredWith ? { text: client.preset, style: 'yellow' } : client.preset,
      client.metadata.token_endpoint_auth_method === 'none' ? 'public' : 'confidential',
      client.disabledAt ? { text: 'disabled', style: 'red' } : { text: 'enabled', style: 'green' },
      client.metadata.client_uri ?? client.metadata.redirect_uris[0] ?? '',
    ])
    out.table(['NAME', 'CLIENT ID', 'PRESET', 'TYPE', 'STATUS', 'APP'], rows)
  })
}

function get(
  context: Context,
  nameOrId: string,
  flags: Flags & { setup?: boolean },
): Promise<void> {
  return withDatabase(context, async ({ db, out, config: { issuer } }) => {
    const client = await resolveClient(db, nameOrId)
    const setup = flags.setup ? setupOf(client, issuer)?.setup : undefined
    if (flags.json) return out.json({ issuer, client: clientJson(client), setup })
    showClient(out, client, issuer)
    if (flags.setup) showSetup(out, client, issuer)
  })
}

async function showPresets(
  { out }: Context,
  name: string | undefined,
  flags: Flags,
): Promise<void> {
  if (name === undefined) {
    if (flags.json) return out.json({ presets })
    const rows = presets.map((preset) => [
      preset.name,
      preset.pkce,
      preset.authMethod,
      preset.about,
    ])
    return out.table(['PRESET', 'PKCE', 'AUTHENTICATION', 'FOR'], rows)
  }
  const preset = findPreset(name)
  if (!preset) {
    const near = didYouMean(
      name,
      presets.map((known) => known.name),
    )
    throw new CliError(exitCodes.notFound, `There is no preset “${name}”.`, [
      near ? `Did you mean ${near}?` : 'See: idp clients presets',
    ])
  }
  if (flags.json) return out.json({ preset })
  out.fields([
    ['Preset', preset.name],
    ['For', preset.about],
    ['Redirect URIs', preset.redirectUris],
    ['After sign-out', preset.postLogoutRedirectUris],
    ['Scopes', preset.scopes.join(' ')],
    ['PKCE', preset.pkce],
    ['Authentication', preset.authMethod],
    ['Grant types', preset.grantTypes.join(' ')],
    ['Notes', preset.notes],
  ])
  out.raw(`\n${preset.setup}`)
}
