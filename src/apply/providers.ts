/** Who signs people in for us, in a file. Their secrets come by reference and are sealed here. */
import { sha256 } from '../crypto.ts'
import { presets } from '../federation/presets.ts'
import {
  createProvider,
  deleteProvider,
  listProviders,
  openSecret,
  type Provider,
  type Stored,
  updateProvider,
} from '../federation/providers.ts'
import type { ProviderEntry } from './document.ts'
import { type Deps, type Kind, Refused, type State, without } from './kind.ts'

export const providerKind: Kind<ProviderEntry> = {
  name: 'provider',
  label: ({ id }) => id,

  async find(deps, { id }) {
    return (await findProvider(deps, id))?.id
  },

  async read(deps, id) {
    const provider = await findProvider(deps, id)
    if (!provider) return undefined
    const secret = openSecret(deps.keyring, provider)
    return {
      ...toState(provider),
      secret: secret === undefined ? undefined : sha256(secret).toString('hex'),
    }
  },

  async write(deps, entry, id) {
    const { db, keyring, issuer: ourIssuer, actor } = deps
    const before = id === undefined ? undefined : await findProvider(deps, id)
    // Its kind is what its secret and its people hang on.
    if (before && before.preset !== entry.preset) throw new Refused([anotherPreset])
    const secret = entry.secret === undefined ? undefined : deps.secretOf(entry.secret)
    const wanted = { ...toInput(entry), secret }
    const to = { db, keyring, ourIssuer }
    const by = { actor, allowAdminRole: entry.allow_admin_role }
    if (!before) return { id: entry.id, ...judged(await createProvider(to, wanted, by)) }
    const same = without(toState(before), toState(wanted))
    const kept = openSecret(keyring, before)
    if (Object.keys(same).length === 0 && (secret === undefined || secret === kept))
      return { id: before.id }
    const { id: _, preset: __, ...change } = wanted
    return { id: before.id, ...judged(await updateProvider(to, before.id, change, by)) }
  },

  async remove({ db, actor }, id) {
    await deleteProvider(db, id, actor)
  },

  async list({ db }) {
    return (await listProviders(db)).map(({ id }) => id)
  },

  async toEntry(deps, id) {
    const provider = await findProvider(deps, id)
    if (!provider) throw new Error(`there is no provider ${id}`)
    const { preset, issuer, clientId } = provider
    const known = presets[preset].issuer === undefined ? { issuer } : {}
    const least = { id, preset, ...known, client_id: clientId }
    const state = without(toState(provider), toState(toInput(least)))
    const admin = provider.roleMap.some(({ role }) => role === 'admin')
    return JSON.parse(
      JSON.stringify({ ...least, ...state, ...(admin ? { allow_admin_role: true } : {}) }),
    ) as ProviderEntry
  },
}

function toInput(entry: ProviderEntry): Omit<Provider, 'secretSealed' | 'createdAt' | 'updatedAt'> {
  const preset = presets[entry.preset]
  return {
    id: entry.id,
    preset: entry.preset,
    name: entry.name ?? preset.label,
    issuer: entry.issuer ?? preset.issuer ?? '',
    clientId: entry.client_id,
    appleTeamId: entry.apple_team_id ?? null,
    appleKeyId: entry.apple_key_id ?? null,
    scope: entry.scope ?? preset.scope,
    trustEmail: entry.trust_email ?? false,
    tenants: entry.tenants ?? [],
    roleMap: entry.role_map ?? [],
    enabled: entry.enabled ?? true,
  }
}

function toState(provider: ReturnType<typeof toInput>): State {
  return {
    preset: provider.preset,
    name: provider.name,
    issuer: provider.issuer,
    client_id: provider.clientId,
    apple_team_id: provider.appleTeamId ?? undefined,
    apple_key_id: provider.appleKeyId ?? undefined,
    scope: provider.scope,
    trust_email: provider.trustEmail,
    tenants: provider.tenants,
    role_map: provider.roleMap,
    enabled: provider.enabled,
  }
}

async function findProvider({ db }: Pick<Deps, 'db'>, id: string): Promise<Provider | undefined> {
  return (await listProviders(db)).find((provider) => provider.id === id)
}

function judged(stored: Stored): object {
  if (!stored.ok && stored.reason === 'invalid') throw new Refused(stored.problems)
  return {}
}

const anotherPreset = {
  field: 'preset',
  code: 'preset_fixed',
  message: 'is another than before',
  fix: 'Give it another id, or delete it first: people are linked to what it was.',
}
