/** What `apply` asks of each kind of thing. Everything is done in one transaction, which a plan takes back. */
import type { Actor } from '../audit/audit.ts'
import type { EngineCheck, Problem } from '../clients/metadata.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'

export type Deps = {
  /** The transaction. */
  db: Db
  actor: Actor
  engineCheck?: EngineCheck | undefined
  /** What secrets of providers are sealed with, and who we are to them. */
  keyring: Keyring
  issuer: string
  /** What a reference stands for. Undefined where secrets are left as they are. */
  secretOf(reference: string): string | undefined
}

/** As the file would say it, every field with its value; one whose name is in `hidden` is never shown. */
export type State = Record<string, unknown>

/** A secret that was made now is told once. */
export type Written = { id: string; secret?: string | undefined; notes?: string[] }

export type Kind<Entry> = {
  /** As in the section of the file, in the singular. */
  name: 'api' | 'client' | 'role' | 'group' | 'provider' | 'branding'
  /** What people call it. */
  label(entry: Entry): string
  /** Of what is stored and meant by the entry. */
  find(deps: Deps, entry: Entry): Promise<string | undefined>
  /** Undefined when there is none. */
  read(deps: Deps, id: string): Promise<State | undefined>
  /** Makes it so; `id` is undefined for what is new. Throws Refused. */
  write(deps: Deps, entry: Entry, id: string | undefined): Promise<Written>
  /** What names things of other kinds, after all of them have been written. */
  link?(deps: Deps, entry: Entry, id: string): Promise<void>
  remove(deps: Deps, id: string): Promise<void>
  /** What a file may hold of it, in the order in which it would stand there. */
  list(deps: Deps): Promise<string[]>
  /** The shortest entry that makes it as it is. */
  toEntry(deps: Deps, id: string): Promise<Entry>
}

export const hidden = ['secret']

/** An entry that cannot be so. Nothing has been written for it. */
export class Refused extends Error {
  readonly problems: Problem[]
  constructor(problems: Problem[]) {
    super(problems.map(({ field, message }) => `${field} ${message}`).join('; '))
    this.name = 'Refused'
    this.problems = problems
  }
}

/** Fields that say nothing beyond their default are left out; an undefined one stands nowhere. */
export function without(state: State, defaults: State): State {
  return Object.fromEntries(
    Object.entries(state).filter(([field, value]) => !same(value, defaults[field])),
  )
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

/** The database keeps no order of members. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]))
}
