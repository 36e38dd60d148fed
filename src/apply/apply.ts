/**
 * Makes things as a file says, in one transaction: all of it or nothing. A plan is the same transaction, taken back at its
 * end, so that it cannot say anything but what `apply` does.
 */
import { sql } from 'kysely'
import type { Problem } from '../clients/metadata.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { apiKind } from './apis.ts'
import { brandingKind } from './branding.ts'
import { clientKind } from './clients.ts'
import type { AppliedFile } from './document.ts'
import { groupKind } from './groups.ts'
import { type Deps, hidden, type Kind, Refused, type State, same } from './kind.ts'
import { disown, listOwned, own } from './owned.ts'
import { providerKind } from './providers.ts'
import { roleKind } from './roles.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kind is given entries of its own section alone
type AnyKind = Kind<any>

/** In the order in which they are made: what is named comes before what names it. */
export const kinds: { section: keyof AppliedFile; kind: AnyKind }[] = [
  { section: 'apis', kind: apiKind },
  { section: 'clients', kind: clientKind },
  { section: 'roles', kind: roleKind },
  { section: 'groups', kind: groupKind },
  { section: 'providers', kind: providerKind },
  { section: 'branding', kind: brandingKind },
]

export type FieldChange = { field: string; from?: unknown; to?: unknown; hidden?: true }

export type Change = {
  kind: string
  name: string
  action: 'created' | 'changed' | 'unchanged' | 'removed'
  fields: FieldChange[]
  notes: string[]
  /** Made for it now, in clear here and never again. */
  secret?: string
  /** Its client id, where it was made. */
  clientId?: string
}

/** Where in the file, and what is wrong there. */
export type Fault = { where: string; problems: Problem[] }

export type Outcome = { ok: true; changes: Change[] } | { ok: false; faults: Fault[] }

type Options = Omit<Deps, 'db'> & {
  prune?: boolean | undefined
  /** Taken back at the end. */
  plan?: boolean | undefined
}

/** Retried where the database asks for it; two at once wait for each other. */
export async function applyFile(db: Db, file: AppliedFile, options: Options): Promise<Outcome> {
  try {
    return await transact(db, async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtext('idp apply'))`.execute(trx)
      const outcome = await applyAll({ ...options, db: trx }, file, options)
      if (options.plan || !outcome.ok) throw new TakenBack(outcome)
      return outcome
    })
  } catch (error) {
    if (error instanceof TakenBack) return error.outcome
    throw error
  }
}

/** Undoes the transaction, and brings out what it would have done. */
class TakenBack extends Error {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    super('taken back')
    this.outcome = outcome
  }
}

type Item = {
  kind: AnyKind
  entry: object
  where: string
  id: string | undefined
  before: State | undefined
}

async function applyAll(
  deps: Deps,
  file: AppliedFile,
  { prune = false }: Pick<Options, 'prune'>,
): Promise<Outcome> {
  const { db } = deps
  // What one thing loses by another is shown where it is lost, so all are read before any is written.
  const items = await readItems(deps, file)
  const faults: Fault[] = []
  const written: (Item & { id: string; change: Change })[] = []
  for (const item of items) {
    const done = await attempt(item.where, faults, () => item.kind.write(deps, item.entry, item.id))
    if (!done) continue
    const change = { ...begun(item), notes: done.notes ?? [] }
    if (done.secret !== undefined) change.secret = done.secret
    if (item.kind === clientKind && item.before === undefined) change.clientId = done.id
    written.push({ ...item, id: done.id, change })
  }
  for (const { kind, entry, id, where } of faults.length > 0 ? [] : written)
    await attempt(where, faults, async () => kind.link?.(deps, entry, id))
  if (faults.length > 0) return { ok: false, faults }

  const changes: Change[] = []
  for (const [place, { kind, entry, id, before, change }] of written.entries()) {
    await own(db, { kind: kind.name, id, declared: entry, created: !before }, place)
    changes.push(complete(change, before, await kind.read(deps, id)))
  }
  if (prune) changes.push(...(await removeOthers(deps, written, faults)))
  return faults.length > 0 ? { ok: false, faults } : { ok: true, changes }
}

async function readItems(deps: Deps, file: AppliedFile): Promise<Item[]> {
  const items: Item[] = []
  for (const { section, kind } of kinds) {
    const given = file[section]
    const entries = given === undefined || typeof given === 'number' ? [] : [given].flat()
    for (const [index, entry] of entries.entries()) {
      const id = await kind.find(deps, entry)
      const before = id === undefined ? undefined : await kind.read(deps, id)
      const where = Array.isArray(given) ? `${section}[${index}]` : section
      items.push({ kind, entry, where, id, before })
    }
  }
  return items
}

function begun({ kind, entry, before }: Item): Change {
  const action = before === undefined ? 'created' : 'unchanged'
  return { kind: kind.name, name: kind.label(entry), action, fields: [], notes: [] }
}

function complete(change: Change, before: State = {}, after: State = {}): Change {
  const fields = compare(before, after)
  if (change.action === 'created') return { ...change, fields: fields.filter(isSaid) }
  return { ...change, fields, action: fields.length === 0 ? 'unchanged' : 'changed' }
}

/** Of what is new, what there is; not every list that is empty. */
function isSaid({ to }: FieldChange): boolean {
  return to !== '' && to !== false && !(Array.isArray(to) && to.length === 0)
}

export function compare(before: State, after: State): FieldChange[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return fields
    .filter((field) => !same(before[field], after[field]))
    .map((field) => {
      if (hidden.includes(field)) return { field, hidden: true }
      const [from, to] = [before[field], after[field]]
      return {
        field,
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
      }
    })
}

/** What others name goes last. */
const removal = ['provider', 'client', 'group', 'role', 'api', 'branding']

/** What a file has made and this one does not name any more. */
async function removeOthers(
  deps: Deps,
  written: { kind: { name: string }; id: string }[],
  faults: Fault[],
): Promise<Change[]> {
  const named = new Set(written.map(({ kind, id }) => `${kind.name} ${id}`))
  const owned = await listOwned(deps.db)
  const changes: Change[] = []
  const inOrder = kinds
    .map(({ kind }) => kind)
    .toSorted((a, b) => removal.indexOf(a.name) - removal.indexOf(b.name))
  for (const kind of inOrder) {
    for (const { id, created, declared, ...row } of owned) {
      if (row.kind !== kind.name || named.has(`${row.kind} ${id}`)) continue
      const before = created ? await kind.read(deps, id) : undefined
      await disown(deps.db, { kind: row.kind, id })
      if (!before) continue
      const name = kind.label(declared)
      await attempt(`${row.kind} ${name}`, faults, () => kind.remove(deps, id))
      changes.push({ kind: kind.name, name, action: 'removed', fields: [], notes: [] })
    }
  }
  return changes
}

/** What is refused is gathered, so that all of it is told at once; a fault of ours is thrown. */
async function attempt<T>(
  where: string,
  faults: Fault[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Refused) faults.push({ where, problems: error.problems })
    // One with a cause came from the database, which takes nothing more in this transaction.
    else if (error instanceof AppError && error.status < 500 && error.cause === undefined)
      faults.push({ where, problems: [problemOf(error)] })
    else throw error
    return undefined
  }
}

function problemOf({ code, message }: AppError): Problem {
  return { field: '', code, message, fix: '' }
}
