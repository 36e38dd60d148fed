/** Apps in a file: all of an app is what the file says, and what it leaves out is the preset's. */
import { sql } from 'kysely'
import {
  deleteClient,
  disableClient,
  enableClient,
  giveSecret,
  secretFingerprint,
} from '../clients/client-life.ts'
import { type Client, findClient, getClient, listClients } from '../clients/clients.ts'
import { createClient, type Prepared, prepareClient } from '../clients/create-client.ts'
import type { Problem } from '../clients/metadata.ts'
import { usesSecret } from '../clients/metadata.ts'
import { storeChange } from '../clients/store-change.ts'
import { setClientAccess } from '../roles/client-access.ts'
import { grantRole, listClientRoles, revokeRole } from '../roles/holders.ts'
import { type Beside, defaultPreset, nothingBeside, toInput, toState } from './client-fields.ts'
import type { ClientEntry } from './document.ts'
import { type Deps, type Kind, Refused, same, without } from './kind.ts'

/** A secret that people think up could be guessed from its hash; 32 characters of a generator cannot. */
const shortestSecret = 32

export const clientKind: Kind<ClientEntry> = {
  name: 'client',
  label: ({ name }) => name,

  async find({ db }, { name, client_id: id }) {
    const found = await findClient(db, id ?? name)
    // A name that looks like the id of another is a name.
    return found && (id === undefined ? found.registeredWith === null : found.id === id)
      ? found.id
      : undefined
  },

  async read({ db }, id) {
    const { rows } = await sql`select 1 from clients where id = ${id}`.execute(db)
    if (rows.length === 0) return undefined
    const client = await getClient(db, id)
    const roles = await listClientRoles(db, id)
    const secret = await secretFingerprint(db, id)
    return {
      name: client.name,
      ...toState(client, besideOf(client, roles)),
      secret,
    }
  },

  async write(deps, entry, id) {
    const { db } = deps
    const prepared = await prepareClient(db, { ...toInput(entry), clientId: id ?? entry.client_id })
    if (!prepared) throw new Refused([unknownPreset])
    const problems = [
      ...prepared.problems,
      ...(await checkName(deps, entry, id)),
      ...checkSecret(deps, entry, prepared),
    ]
    if (problems.length > 0) throw new Refused(problems)
    const written = id === undefined ? await create(deps, entry) : await change(deps, id, prepared)
    const own = entry.secret === undefined ? undefined : deps.secretOf(entry.secret)
    if (own !== undefined) await giveSecret(db, written.id, own, deps)
    const off = entry.disabled ?? false
    if (off) await disableClient(db, written.id, deps)
    else if (id !== undefined) await enableIfOff(deps, id)
    return own === undefined ? written : { ...written, secret: undefined }
  },

  async link({ db, actor }, { roles = [], allowed_roles, allowed_groups }, id) {
    const access = { roles: allowed_roles ?? [], groups: allowed_groups ?? [] }
    await setClientAccess(db, id, access, { actor })
    const before = await listClientRoles(db, id)
    const holder = { kind: 'client', id } as const
    for (const role of roles.filter((one) => !before.includes(one)))
      await grantRole(db, role, holder, { actor })
    for (const role of before.filter((one) => !roles.includes(one)))
      await revokeRole(db, role, holder, { actor })
  },

  async remove({ db, actor }, id) {
    await deleteClient(db, id, { actor })
  },

  async list({ db }) {
    const clients = await listClients(db)
    return clients.filter(({ registeredWith }) => registeredWith === null).map(({ id }) => id)
  },

  async toEntry(deps, id) {
    const { db } = deps
    const client = await getClient(db, id)
    const roles = await listClientRoles(db, id)
    const state = toState(client, besideOf(client, roles))
    const { preset, app_url: appUrl, ...rest } = state
    const named = { name: client.name, client_id: id, preset, app_url: appUrl } as ClientEntry
    const plain = await prepareClient(db, toInput(named))
    const defaults = plain ? toState(plain.target, nothingBeside) : {}
    const short = { ...dropUndefined(named), ...without(rest, defaults) } as ClientEntry
    const again = await prepareClient(db, toInput(short))
    const whole = again && same(toState(again.target, besideOf(client, roles)), state)
    return whole ? short : ({ ...dropUndefined(named), ...dropUndefined(rest) } as ClientEntry)
  },
}

function besideOf({ disabledAt, access }: Client, roles: string[]): Beside {
  return { disabled: disabledAt !== null, roles, access }
}

async function create(deps: Deps, entry: ClientEntry) {
  const { db, actor, engineCheck } = deps
  const made = await createClient(db, toInput(entry), { actor, engineCheck })
  if (made.ok) return { id: made.client.id, secret: made.secret }
  if (made.reason === 'invalid') throw new Refused(made.problems)
  throw new Refused([taken(made.field, made.client.name)])
}

async function change(deps: Deps, id: string, { target }: Prepared) {
  const { db, actor } = deps
  const { narrowed, secret } = await storeChange(db, await getClient(db, id), target, { actor })
  return { id, secret, notes: narrowed ? ['it may do less, so its tokens end'] : [] }
}

async function enableIfOff({ db, actor }: Deps, id: string): Promise<void> {
  const { disabledAt } = await getClient(db, id)
  if (disabledAt) await enableClient(db, id, { actor })
}

async function checkName({ db }: Deps, { name }: ClientEntry, id: string | undefined) {
  const namesake = await findClient(db, name)
  const other = namesake && namesake.id !== id && namesake.name.toLowerCase() === name.toLowerCase()
  return other ? [taken('name', namesake.name)] : []
}

function checkSecret(
  deps: Deps,
  { secret: reference }: ClientEntry,
  { target }: Prepared,
): Problem[] {
  if (reference === undefined) return []
  if (!usesSecret(target.metadata)) {
    const method = target.metadata.token_endpoint_auth_method
    return [
      problem('secret_unused', `is given, and the app proves itself by ${method}`, 'Leave it out.'),
    ]
  }
  const secret = deps.secretOf(reference)
  if (secret === undefined || /^[\x21-\x7e]{32,200}$/.test(secret)) return []
  const message = `in ${reference} is no secret of ${shortestSecret} to 200 plain characters`
  return [problem('secret_weak', message, 'Make one with: openssl rand -hex 32')]
}

function taken(field: string, name: string): Problem {
  return { ...problem('taken', `belongs to ${name} already`, 'Choose another.'), field }
}

function problem(code: string, message: string, fix: string): Problem {
  return { field: 'secret', code, message, fix }
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T
}

const unknownPreset: Problem = {
  field: 'preset',
  code: 'preset_unknown',
  message: 'does not exist',
  fix: `See \`idp clients presets\`; ${defaultPreset} is the one for most apps.`,
}
