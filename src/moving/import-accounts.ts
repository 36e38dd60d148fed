/**
 * Accounts come in, a batch at a time: each batch is one transaction, each account is there with all that belongs to it or
 * not at all. Whoever is here already stays as they are, so an import that was stopped is simply run again.
 */
import { sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import { sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { type CheckedAccount, checkLine, type LineRules, type Problem } from './account-line.ts'
import { type Candidate, insertBatch } from './insert-batch.ts'

const batchSize = 200

/** One account as it came: what its line says, or why that could not be read. */
export type Entry = { number: number; given: unknown } | { number: number; problem: Problem }

export type LineProblem = Problem & { line: number }

export type ImportOptions = LineRules & {
  actor: Actor
  /** For the audit trail: `idp`, `keycloak`, `logto`, `authelia`. */
  source: string
  /** Passkeys of another domain work nowhere here, and are left out. Undefined: all of them. */
  passkeyDomain: string | undefined
  /** Somebody else of that name or address is here: tell it as a problem, or pass it over. */
  onConflict: 'fail' | 'skip'
  dryRun?: boolean
  onProblem(problem: LineProblem): void
  /** After each batch. */
  onProgress?(read: number): void
}

export type Imported = {
  read: number
  imported: number
  /** The same account by id and username, left as it is. */
  already: number
  conflicts: number
  invalid: number
  passkeys: number
  passkeysLeftOut: number
  withoutPassword: number
}

export function nothingImported(): Imported {
  return {
    read: 0,
    imported: 0,
    already: 0,
    conflicts: 0,
    invalid: 0,
    passkeys: 0,
    passkeysLeftOut: 0,
    withoutPassword: 0,
  }
}

/** Reads all of `entries`; what is wrong with one of them keeps no other away. */
export async function importAccounts(
  db: Db,
  entries: AsyncIterable<Entry>,
  options: ImportOptions,
): Promise<Imported> {
  const counts = nothingImported()
  const seen = options.dryRun ? createSeen() : undefined
  let batch: Candidate[] = []
  for await (const entry of entries) {
    counts.read++
    const account = readEntry(entry, options, counts)
    const twice = account && seen?.(account)
    if (twice === 'other') tellConflict(entry.number, 'username', options, counts)
    else if (twice === 'same') counts.already++
    else if (account) batch.push({ number: entry.number, account })
    if (batch.length < batchSize) continue
    await writeBatch(db, batch, options, counts)
    options.onProgress?.(counts.read)
    batch = []
  }
  if (batch.length > 0) await writeBatch(db, batch, options, counts)
  options.onProgress?.(counts.read)
  if (!options.dryRun && counts.imported > 0) {
    await record(db, {
      type: 'accounts.imported',
      actor: options.actor,
      detail: { from: options.source, accounts: counts.imported },
    })
  }
  return counts
}

function readEntry(
  entry: Entry,
  options: ImportOptions,
  counts: Imported,
): CheckedAccount | undefined {
  const { value, problems } =
    'problem' in entry ? { problems: [entry.problem] } : checkLine(entry.given, options)
  if (!value) {
    counts.invalid++
    for (const problem of problems) options.onProblem({ line: entry.number, ...problem })
    return undefined
  }
  const usable = value.passkeys.filter(
    ({ domain }) => options.passkeyDomain === undefined || domain === options.passkeyDomain,
  )
  counts.passkeysLeftOut += value.passkeys.length - usable.length
  return { ...value, passkeys: usable }
}

async function writeBatch(
  db: Db,
  batch: Candidate[],
  options: ImportOptions,
  counts: Imported,
): Promise<void> {
  let written: Awaited<ReturnType<typeof insertBatch>>
  try {
    written = await inTransaction(db, options.dryRun, (trx) => insertBatch(trx, batch, options))
  } catch (error) {
    if (!isRefusedData(error)) throw error
    // The database refused one of them: halves find which, and let the others in.
    const [first] = batch
    if (batch.length > 1) {
      const middle = batch.length >> 1
      await writeBatch(db, batch.slice(0, middle), options, counts)
      return writeBatch(db, batch.slice(middle), options, counts)
    }
    counts.invalid++
    if (first) options.onProblem({ line: first.number, ...refusalOf(error) })
    return
  }
  for (const { account } of written.inserted) {
    counts.imported++
    counts.passkeys += account.passkeys.length
    if (account.passwordHash === null) counts.withoutPassword++
  }
  counts.already += written.already.length
  for (const { number, field } of written.conflicts) tellConflict(number, field, options, counts)
}

function tellConflict(line: number, field: string, options: ImportOptions, counts: Imported): void {
  counts.conflicts++
  if (options.onConflict === 'skip') return
  options.onProblem({ line, field, code: 'taken', message: 'belongs to somebody else here' })
}

const rollBack = Symbol('nothing is to stay')

async function inTransaction<T>(
  db: Db,
  dryRun: boolean | undefined,
  work: (trx: Db) => Promise<T>,
): Promise<T> {
  if (!dryRun) return transact(db, work)
  let result: T | undefined
  await db
    .transaction()
    .execute(async (trx) => {
      result = await work(trx)
      // What waits for the end of a transaction is to be heard here too.
      await sql`set constraints all immediate`.execute(trx)
      throw rollBack
    })
    .catch((error: unknown) => {
      if (error !== rollBack) throw error
    })
  return result as T
}

/** Data or a constraint, of one line; anything else is no line's fault. */
function isRefusedData(error: unknown): error is { code: string; constraint?: string } {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^(22|23)/.test(code)
}

function refusalOf({ code, constraint }: { code: string; constraint?: string }): Problem {
  if (code === '23503' && constraint?.includes('group'))
    return {
      field: 'groups',
      code: 'group_unknown',
      message: 'names a group that is not here yet: idp groups create',
    }
  if (code === '23503' && constraint?.includes('role'))
    return {
      field: 'roles',
      code: 'role_unknown',
      message: 'names a role that is not here yet: idp roles create',
    }
  return {
    field: 'line',
    code: 'refused',
    message: `is refused by the database (${constraint ?? code})`,
  }
}

/** A dry run keeps nothing, so what stands twice in the file is remembered here: 48 bits of each. */
function createSeen(): (account: CheckedAccount) => 'same' | 'other' | undefined {
  const seen = new Set<number>()
  return ({ id, username, skeleton, emailCanonical }) => {
    const [same, ...others] = [
      `${id} ${username}`,
      `id ${id}`,
      `name ${skeleton}`,
      `mail ${emailCanonical}`,
    ].map((text) => sha256(text).readUIntBE(0, 6)) as [number, ...number[]]
    if (seen.has(same)) return 'same'
    if (others.some((mark) => seen.has(mark))) return 'other'
    for (const mark of [same, ...others]) seen.add(mark)
    return undefined
  }
}
