/** `idp clients create` and `update`: from flags to a client, and back to words. */
import type { Command } from 'commander'
import { clientJson } from '../clients/client-json.ts'
import { findClient, getClient } from '../clients/clients.ts'
import { createClient, type Refused } from '../clients/create-client.ts'
import { findPreset, needsAppUrl, presets } from '../clients/presets.ts'
import { updateClient } from '../clients/update-client.ts'
import { transact } from '../database/transact.ts'
import { type AccessFlags, changeAccess } from './client-access.ts'
import { addClientOptions, type ClientFlags, readClientFlags } from './client-options.ts'
import { setupOf, showClient, showSetup } from './client-view.ts'
import { clientNotFound } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { collect } from './input.ts'
import { noteOwned } from './note-owned.ts'
import { notePrivateTargets } from './private-targets.ts'
import { didYouMean } from './text.ts'
import { noteUnreachableLevel } from './unreachable-level.ts'

type CreateFlags = ClientFlags & { preset?: string; clientId?: string; ifNotExists?: boolean }
type UpdateFlags = ClientFlags &
  AccessFlags & {
    name?: string
    addRedirectUri?: string[]
    removeRedirectUri?: string[]
  }

export function addCreate(clients: Command, context: Context): void {
  const command = clients
    .command('create <name>')
    .summary('register an app')
    .description(
      'Registers an app and prints its id, its secret (this once) and the configuration to paste on its side.',
    )
    .option('--preset <name>', 'what kind of app it is: see `idp clients presets`')
  addClientOptions(command)
    .option('--client-id <id>', 'its id, when it must be a certain one; else made from the name')
    .option('--if-not-exists', 'leave an app of that name as it is')
    .option('--json', 'print JSON')
    .action((name: string, flags: CreateFlags) => create(context, name, flags))
  withExamples(command, [
    [
      'clients create Cloud --preset cloudreve-pro --app-url https://cloud.example.org',
      'a known app',
    ],
    [
      'clients create Wiki --preset generic --redirect-uri https://wiki.example.org/oidc',
      'any other app with a server side',
    ],
    [
      'clients create Robot --preset service --api https://api.example.org',
      'a program that calls an API',
    ],
    ['clients create TV --preset device', 'a device without a browser'],
    [
      'clients create Bank --preset web --redirect-uri https://bank.example.org/cb --profile fapi2 --jwks-file keys.json',
      'an app that keeps the rules of FAPI 2.0: pushed requests, bound tokens, strong signatures',
    ],
    [
      'clients create Cloud --preset cloudreve-pro --app-url https://cloud.example.org --if-not-exists --json',
      'from a script, any number of times',
    ],
  ])
}

export function addUpdate(clients: Command, context: Context): void {
  const command = clients
    .command('update <client>')
    .summary('change an app')
    .description(
      'Changes what is named and leaves the rest. A list that is given replaces the old one. An app that may do less than before loses its tokens at once.',
    )
    .option('--name <name>', 'what people know it by')
  addClientOptions(command)
    .option('--add-redirect-uri <uri>', 'one more; may be repeated', collect)
    .option('--remove-redirect-uri <uri>', 'one less; may be repeated', collect)
    .option('--no-post-logout-redirect-uri', 'none after signing out')
    .option('--no-backchannel-logout-uri', 'is not told any more')
    .option('--no-frontchannel-logout-uri', 'is not told by the browser any more')
    .option('--no-api', 'no API named as a whole')
    .option('--no-first-party', 'people are asked for consent')
    .option('--no-profile', 'no rules as a whole; what they had set stays')
    .option('--no-initiate-login-uri', 'begins no sign-in that others ask it for')
    .option('--no-require-par', 'takes requests that were not pushed')
    .option('--no-certificate-bound', 'tokens are good without its certificate')
    .option('--no-response-mode', 'may be answered in every way')
    .option('--no-authorization-type', 'may ask for everything that its APIs have in detail')
    .option('--no-authorization-challenge', 'people give their password to our pages alone')
    .option('--no-default-acr', 'any sign-in, where it does not say')
    .option('--no-backchannel-notification-endpoint', 'is not told any more that somebody decided')
    .option('--no-sector-identifier-uri', 'its sector is the host of its redirect URI')
    .option('--no-claim-name', 'calls claims as everybody does')
    .option('--allow-role <role>', 'lets in only who holds one of these; may be repeated', collect)
    .option('--no-allow-role', 'asks for no role')
    .option(
      '--allow-group <group>',
      'lets in also who is in one of these; may be repeated',
      collect,
    )
    .option('--no-allow-group', 'asks for no group')
    .option('--json', 'print JSON')
    .action((client: string, flags: UpdateFlags) => update(context, client, flags))
  withExamples(command, [
    ['clients update Cloud --app-url https://files.example.org', 'the app has moved'],
    ['clients update Wiki --add-redirect-uri http://localhost:3000/oidc', 'for a developer'],
    ['clients update Legacy --pkce optional', 'an old app that cannot send PKCE'],
    [
      'clients update Payroll --allow-group Finance',
      'nobody else gets in; who is in and may not be, is out',
    ],
    ['clients update Kiosk --access-token-lifetime 5m --refresh-total 12h', 'for a shift'],
  ])
}

async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  const preset = readPreset(flags.preset)
  if (needsAppUrl(preset) && !flags.appUrl && !flags.redirectUri) {
    throw new CliError(
      exitCodes.usage,
      `The preset ${preset.name} needs to know where the app is.`,
      [
        'Add --app-url https://app.example.org, or --redirect-uri with the address that the app documents.',
      ],
    )
  }
  const shared = await readClientFlags(context.io, flags)
  await withDatabase(context, async ({ db, config, out, io }) => {
    const { issuer } = config
    const result = await createClient(
      db,
      {
        ...shared,
        name: name.normalize('NFC'),
        preset: preset.name,
        appUrl: flags.appUrl || undefined,
        backchannelLogoutUri: flags.backchannelLogoutUri || undefined,
        frontchannelLogoutUri: flags.frontchannelLogoutUri || undefined,
        clientId: flags.clientId,
      },
      {
        actor: operator(io),
        engineCheck: context.createEngineCheck(issuer, config.allowPrivateTargets),
        ifNotExists: flags.ifNotExists ?? false,
      },
    )
    if (!result.ok) throw refused(result)
    const { client, created, secret } = result
    if (flags.json) {
      const setup = setupOf(client, issuer, secret)?.setup
      out.json({ created, issuer, client: clientJson(client, secret), setup })
    } else showClient(out, client, issuer, secret)
    if (!created) {
      out.say(`${client.name} exists already and was left as it is; its secret is not shown again.`)
      return
    }
    if (!flags.json) showSetup(out, client, issuer, secret)
    if (secret !== undefined) {
      out.say(`The secret is shown this once. A new one: idp clients rotate-secret ${client.id}`)
    }
    notePrivateTargets(out, client)
    noteUnreachableLevel(out, client)
    out.say(`Created ${client.name}. Try it: idp clients test ${client.id}`)
  })
}

async function update(context: Context, nameOrId: string, flags: UpdateFlags): Promise<void> {
  const { json, ...changes } = flags
  if (Object.keys(changes).length === 0) {
    throw new CliError(exitCodes.usage, 'Nothing to change was named.', [
      'See: idp clients update --help',
    ])
  }
  const shared = await readClientFlags(context.io, flags)
  await withDatabase(context, async ({ db, config, out, io }) => {
    const found = await findClient(db, nameOrId)
    if (!found) throw await clientNotFound(db, nameOrId)
    const change = {
      ...shared,
      name: flags.name?.normalize('NFC'),
      appUrl: flags.appUrl === false ? null : flags.appUrl,
      backchannelLogoutUri:
        flags.backchannelLogoutUri === false ? null : flags.backchannelLogoutUri,
      frontchannelLogoutUri:
        flags.frontchannelLogoutUri === false ? null : flags.frontchannelLogoutUri,
      addRedirectUris: flags.addRedirectUri,
      removeRedirectUris: flags.removeRedirectUri,
    }
    const by = {
      actor: operator(io),
      engineCheck: context.createEngineCheck(config.issuer, config.allowPrivateTargets),
    }
    const result = await transact(db, async (trx) => {
      const done = await updateClient(trx, found.id, change, by)
      if (!done?.ok || !(await changeAccess(trx, found.id, flags, by.actor))) return done
      return {
        ...done,
        client: await getClient(trx, found.id),
        changed: [...done.changed, 'access'],
      }
    })
    if (!result) throw await clientNotFound(db, nameOrId)
    if (!result.ok) throw refused(result)
    const { client, changed, narrowed, secret } = result
    if (json) out.json({ changed, client: clientJson(client, secret) })
    else showClient(out, client, config.issuer, secret)
    if (changed.length === 0) out.say('Nothing changed: it was so already.')
    else out.say(`Changed ${changed.join(', ')}; the server follows within two seconds.`)
    if (changed.length > 0) await noteOwned(out, db, 'client', client.id)
    notePrivateTargets(out, client)
    noteUnreachableLevel(out, client)
    if (narrowed)
      out.say('It may do less than before, so its tokens have ended; people sign in again.')
    if (secret !== undefined) out.say('It needs a secret now; it is shown this once.')
  })
}

function readPreset(name: string | undefined) {
  const names = presets.map((preset) => preset.name)
  if (name === undefined) {
    throw new CliError(exitCodes.usage, 'What kind of app is it? Add --preset NAME.', [
      `One of: ${names.join(', ')}.`,
      'Any app with a server side that is not among them: --preset generic.',
    ])
  }
  const preset = findPreset(name)
  if (preset) return preset
  const near = didYouMean(name, names)
  throw new CliError(exitCodes.usage, `There is no preset “${name}”.`, [
    near ? `Did you mean ${near}?` : `One of: ${names.join(', ')}.`,
  ])
}

function refused(result: Refused): CliError {
  if (result.reason === 'invalid')
    return refusal('The app was refused; nothing was stored.', result.problems)
  const { client, field } = result
  return new CliError(
    exitCodes.conflict,
    field === 'name'
      ? `There is an app named ${client.name} already (${client.id}).`
      : `The client id ${client.id} belongs to ${client.name}.`,
    field === 'name'
      ? [
          'Choose another name, change it with idp clients update, or add --if-not-exists to leave it as it is.',
        ]
      : ['Choose another --client-id, or leave it out.'],
  )
}
