/** `idp providers create` and `update`: what can be said of a provider, and how it is stored. */
import type { Command } from 'commander'
import { callbackPath } from '../federation/exchange.ts'
import { isPreset, microsoftIssuer, type PresetName, presets } from '../federation/presets.ts'
import { parseRule, providerJson } from '../federation/provider-json.ts'
import {
  createProvider,
  type Provider,
  type ProviderChange,
  type RoleRule,
  type Stored,
  updateProvider,
} from '../federation/providers.ts'
import { type Context, operator } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { collect, readText } from './input.ts'
import { providerFields } from './provider-view.ts'
import { findProvider, withKeys } from './providers-find.ts'

export type ProviderFlags = {
  preset: string
  name?: string
  issuer?: string
  tenant?: string
  allowedTenant?: string[]
  clientId?: string
  clientSecretFile?: string
  teamId?: string
  keyId?: string
  privateKeyFile?: string
  scope?: string
  trustEmail?: boolean
  roleMap?: string[] | false
  allowAdminRole?: boolean
  enabled?: boolean
  disabled?: boolean
  json?: boolean
}

export function withSettings(command: Command): Command {
  return command
    .option('--name <name>', 'what the button says after “Continue with”')
    .option('--issuer <url>', 'its issuer, letter by letter')
    .option('--tenant <tenant>', 'Microsoft: a directory id, common, organizations or consumers')
    .option(
      '--allowed-tenant <id>',
      'Microsoft, of many tenants: only these; may be repeated',
      collect,
    )
    .option('--client-id <id>', 'who we are there')
    .option('--client-secret-file <file>', 'our secret there; - is standard input')
    .option('--team-id <id>', 'Apple: the team')
    .option('--key-id <id>', 'Apple: the key')
    .option('--private-key-file <file>', 'Apple: the key itself (.p8); - is standard input')
    .option('--scope <scopes>', 'what to ask for, separated by spaces')
    .option('--trust-email', 'an address that it calls verified needs no mail from us')
    .option(
      '--role-map <claim:value=role>',
      'who has this value in this claim has this role; may be repeated',
      collect,
    )
    .option('--allow-admin-role', 'a role map may make admins')
    .option('--json', 'print JSON')
}

export async function create(context: Context, id: string, flags: ProviderFlags): Promise<void> {
  const name = flags.preset
  if (!isPreset(name)) throw new CliError(exitCodes.usage, `There is no preset ${name}.`)
  const preset = presets[name]
  const secret = await secretOf(context, name, flags)
  const issuer = issuerOf(name, flags) ?? preset.issuer
  if (issuer === undefined) {
    const flag = preset.tenants ? '--tenant' : '--issuer'
    throw new CliError(exitCodes.usage, `${preset.label} needs ${flag}.`)
  }
  if (flags.clientId === undefined)
    throw new CliError(exitCodes.usage, 'Who are we there? Give --client-id.')
  const { clientId } = flags
  await withKeys(context, async (deps, { out, io }) => {
    const stored = await createProvider(
      deps,
      {
        id,
        preset: name,
        name: flags.name ?? preset.label,
        issuer,
        clientId,
        appleTeamId: flags.teamId ?? null,
        appleKeyId: flags.keyId ?? null,
        scope: flags.scope ?? preset.scope,
        trustEmail: flags.trustEmail ?? false,
        tenants: flags.allowedTenant ?? [],
        roleMap: rulesOf(flags.roleMap || []),
        enabled: !flags.disabled,
        secret,
      },
      { actor: operator(io), allowAdminRole: flags.allowAdminRole },
    )
    const provider = readStored(id, stored)
    const redirectUri = deps.ourIssuer + callbackPath(id)
    if (flags.json) out.json({ provider: providerJson(provider, deps.ourIssuer) })
    else out.fields(providerFields(provider, deps.ourIssuer))
    out.say(`Register there, letter by letter: ${redirectUri}`)
    out.say(`Then: idp providers test ${id}`)
  })
}

export async function update(context: Context, id: string, flags: ProviderFlags): Promise<void> {
  if (flags.enabled && flags.disabled) throw new CliError(exitCodes.usage, 'Enabled or disabled?')
  await withKeys(context, async (deps, { out, io }) => {
    const { preset } = await findProvider(deps.db, id)
    const change = await changeOf(context, preset, flags)
    if (Object.keys(change).length === 0) {
      throw new CliError(exitCodes.usage, 'What is to change?', [
        'See: idp providers update --help',
      ])
    }
    const by = { actor: operator(io), allowAdminRole: flags.allowAdminRole }
    const provider = readStored(id, await updateProvider(deps, id, change, by))
    if (flags.json) out.json({ provider: providerJson(provider, deps.ourIssuer) })
    else out.fields(providerFields(provider, deps.ourIssuer))
    out.say('Running servers follow within two seconds.')
  })
}

async function changeOf(
  context: Context,
  preset: PresetName,
  flags: ProviderFlags,
): Promise<ProviderChange> {
  const secret = await secretOf(context, preset, flags)
  const issuer = issuerOf(preset, flags)
  const { name, clientId, teamId, keyId, scope, trustEmail, allowedTenant, roleMap } = flags
  return {
    ...(name === undefined ? {} : { name }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(teamId === undefined ? {} : { appleTeamId: teamId }),
    ...(keyId === undefined ? {} : { appleKeyId: keyId }),
    ...(scope === undefined ? {} : { scope }),
    ...(trustEmail === undefined ? {} : { trustEmail }),
    ...(allowedTenant === undefined ? {} : { tenants: allowedTenant }),
    ...(roleMap === undefined ? {} : { roleMap: rulesOf(roleMap || []) }),
    ...(flags.enabled ? { enabled: true } : flags.disabled ? { enabled: false } : {}),
    ...(secret === undefined ? {} : { secret }),
  }
}

function readStored(id: string, stored: Stored): Provider {
  if (stored.ok) return stored.provider
  if (stored.reason === 'taken') {
    throw new CliError(exitCodes.conflict, `There is a provider ${id} already.`, [
      `To change it: idp providers update ${id} --help`,
    ])
  }
  if (stored.reason === 'gone') {
    throw new CliError(exitCodes.notFound, `There is no provider ${id}.`)
  }
  throw refusal('The provider was refused; nothing was stored.', stored.problems)
}

function issuerOf(preset: PresetName, { issuer, tenant }: ProviderFlags): string | undefined {
  if (tenant === undefined) return issuer
  if (presets[preset].tenants && issuer === undefined) return microsoftIssuer(tenant)
  throw new CliError(exitCodes.usage, '--tenant is for Microsoft, in place of --issuer.')
}

async function secretOf(
  { io }: Context,
  preset: PresetName,
  flags: ProviderFlags,
): Promise<string | undefined> {
  const apple = presets[preset].secret === 'apple-key'
  const [wrong, right] = apple
    ? [flags.clientSecretFile, flags.privateKeyFile]
    : [flags.privateKeyFile, flags.clientSecretFile]
  if (wrong !== undefined) {
    const words = apple ? 'Apple takes --private-key-file.' : '--private-key-file is for Apple.'
    throw new CliError(exitCodes.usage, words)
  }
  return right === undefined ? undefined : (await readText(io, right)).trim()
}

function rulesOf(texts: string[]): RoleRule[] {
  return texts.map((text) => {
    const rule = parseRule(text)
    if (rule) return rule
    throw new CliError(exitCodes.usage, `--role-map cannot be “${text}”.`, [
      'Write claim:value=role, such as groups:staff=editor.',
    ])
  })
}
