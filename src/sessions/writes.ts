/**
 * What one request changes, as one statement. Spending is a guarded update, and every other write of the
 * statement happens only when all guards held: of twenty redemptions at once one finds its guard true, and a
 * crash never leaves half a token exchange. Statements of one shape share one text and one name.
 */
import { createHash } from 'node:crypto'
import { type ArtefactName, artefacts, type Row } from './artefacts.ts'
import { type Queryable, refreshRetrySeconds, undecided } from './reads.ts'
import { unitedNames, unitedResources } from './united.ts'

export type Write =
  | { kind: 'insert'; into: ArtefactName; row: Row; onConflict?: 'nothing' | 'merge' }
  /** Succeeds once. For a refresh token also again, shortly after, while its successor is unused. */
  | { kind: 'spend'; from: ArtefactName; idHash: Buffer; successorHash?: Buffer }
  /** A person's answer to a device, once; or, before that, the browser that takes the question up. */
  | { kind: 'decide'; on: 'device_codes'; idHash: Buffer; row: Row; browsers: string[] }
  /** A refresh token that does not rotate lives on by being used. */
  | { kind: 'extend'; idHash: Buffer; until: Date }
  | { kind: 'saveSession'; save: SessionSave }
  /** Adds to a grant that was there. Never an insert: one that has ended meanwhile stays ended. */
  | { kind: 'widenGrant'; row: Row }
  | { kind: 'delete'; from: ArtefactName; key: Buffer | string }

export type SessionSave = {
  uid: string
  /** Present when the id changes: the hashes of old and new, and the new id sealed for holders of the old. */
  rotation?: { from: Buffer; to: Buffer; sealed: Buffer }
  /** Only what this request changed, so that two tabs do not lose each other's work. */
  changed: Record<string, unknown>
  removed: string[]
  row: Row
}

export type Flushed = {
  /** False when something was spent already: then nothing was written at all. */
  ok: boolean
  /** The session's id as it stands now, when the statement saved one that still exists. */
  session?: { idHash: Buffer; idSealed: Buffer | null }
}

/** One round trip, one commit. Rejects with pg's error when the database refuses or is away. */
export async function flush(db: Queryable, writes: Write[]): Promise<Flushed> {
  const { name, text, values, guards } = compose(writes)
  const { rows } = await db.query<Row>({ name, text, values })
  const result = rows[0] ?? {}
  const ok = guards === 0 || result.held === true
  const idHash = result.session_id_hash as Buffer | null | undefined
  if (!idHash) return { ok }
  return { ok, session: { idHash, idSealed: result.session_id_sealed as Buffer | null } }
}

const names = new Map<string, string>()

/** The statement for these writes; exported for the test that reads its shape. */
export function compose(writes: Write[]): {
  name: string
  text: string
  values: unknown[]
  guards: number
} {
  const values: unknown[] = []
  const bind = (value: unknown, type: string): string => {
    values.push(type === 'jsonb' && value !== null ? JSON.stringify(value) : value)
    return `$${values.length}::${type}`
  }
  const guarding = writes.filter(isGuard)
  const others = writes.filter((write) => !isGuard(write))
  const guards = guarding.map((write, index) => `g${index} as (${guard(write, bind)})`)
  const held = guarding.map((_, index) => `exists (select from g${index})`).join(' and ')
  const changes = others.map((write, index) => `w${index} as (${change(write, held, bind)})`)
  const session = others.findIndex((write) => write.kind === 'saveSession')
  const results = [
    `${held || 'true'} as held`,
    ...(session < 0
      ? []
      : ['id_hash', 'id_sealed'].map(
          (column) => `(select ${column} from w${session}) as session_${column}`,
        )),
  ]
  const text = `with ${[...guards, ...changes].join(',\n')}\nselect ${results.join(', ')}`
  let name = names.get(text)
  if (!name) {
    name = `write_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
    names.set(text, name)
  }
  return { name, text, values, guards: guards.length }
}

type Bind = (value: unknown, type: string) => string
type Guard = Extract<Write, { kind: 'spend' | 'decide' }>

/** Whether the other writes of its statement depend on it. */
export function isGuard(write: Write): write is Guard {
  return write.kind === 'spend' || write.kind === 'decide'
}

function guard(write: Guard, bind: Bind): string {
  return write.kind === 'spend' ? spend(write, bind) : decide(write, bind)
}

function decide(write: Extract<Write, { kind: 'decide' }>, bind: Bind): string {
  const { columns } = artefacts[write.on]
  const sets = Object.entries(write.row).map(
    ([column, value]) => `${column} = ${bind(value, columnType(columns, column))}`,
  )
  return `update ${write.on} set ${sets.join(', ')}
    where id_hash = ${bind(write.idHash, 'bytea')} and ${undecided}
      and (browser is null or browser = any(${bind(write.browsers, 'text[]')})) returning 1`
}

function spend(write: Extract<Write, { kind: 'spend' }>, bind: Bind): string {
  const id = bind(write.idHash, 'bytea')
  if (!write.successorHash) {
    return `update ${write.from} set consumed_at = now()
      where id_hash = ${id} and consumed_at is null returning 1`
  }
  const successor = bind(write.successorHash, 'bytea')
  return `update refresh_tokens set consumed_at = coalesce(consumed_at, now()), successor_hash = ${successor}
    where id_hash = ${id} and (consumed_at is null
      or successor_hash = ${successor}
      and consumed_at > now() - interval '${refreshRetrySeconds} seconds' and not exists (
        select from refresh_tokens used where used.id_hash = ${successor} and used.consumed_at is not null))
    returning 1`
}

function change(write: Exclude<Write, Guard>, held: string, bind: Bind): string {
  const and = held ? ` and ${held}` : ''
  switch (write.kind) {
    case 'insert':
      return insert(write, held, bind)
    case 'extend':
      return `update refresh_tokens set expires_at = greatest(expires_at, ${bind(write.until, 'timestamptz')})
        where id_hash = ${bind(write.idHash, 'bytea')} and consumed_at is null${and} returning 1`
    case 'saveSession':
      return saveSession(write.save, and, bind)
    case 'widenGrant':
      return widenGrant(write.row, and, bind)
    case 'delete': {
      const { table, key, columns } = artefacts[write.from]
      return `delete from ${table} where ${key} = ${bind(write.key, columnType(columns, key))}${and} returning 1`
    }
  }
}

function insert(write: Extract<Write, { kind: 'insert' }>, held: string, bind: Bind): string {
  const { table, key, columns } = artefacts[write.into]
  const given = Object.keys(columns).filter((column) => write.row[column] !== undefined)
  const values = given.map((column) => bind(write.row[column], columnType(columns, column)))
  const merged = given.filter((column) => column !== key && column !== 'created_at')
  const conflict =
    write.onConflict === 'nothing'
      ? ` on conflict (${key}) do nothing`
      : write.onConflict === 'merge'
        ? ` on conflict (${key}) do update set ${merged.map((column) => merge(table, column)).join(', ')}`
        : ''
  return `insert into ${table} (${given.join(', ')}) select ${values.join(', ')}${
    held ? ` where ${held}` : ''
  }${conflict} returning 1`
}

/** What our pages have done is not the engine's to change. */
function merge(table: string, column: string): string {
  const kept = table === 'interactions' && column === 'progress'
  return `${column} = ${kept ? table : 'excluded'}.${column}`
}

/** Never an insert: a slow request that ends after a sign-out must not bring the session back. */
function saveSession(save: SessionSave, and: string, bind: Bind): string {
  const { columns } = artefacts.sessions
  const sets = Object.entries(save.row).map(
    ([column, value]) => `${column} = ${bind(value, columnType(columns, column))}`,
  )
  if (save.rotation) {
    const account = bind(save.row.account_id ?? null, 'uuid')
    const from = bind(save.rotation.from, 'bytea')
    // Only whoever holds the id of this moment changes it. The old one stays usable for a minute, and only
    // if it was signed in as the same person before: otherwise it may have been planted (fixation).
    const rotates = (column: string, value: string) =>
      sets.push(`${column} = case when id_hash = ${from} then ${value} else ${column} end`)
    rotates('previous_id_hash', `case when account_id = ${account} then id_hash end`)
    rotates('id_sealed', bind(save.rotation.sealed, 'bytea'))
    rotates('rotated_at', 'now()')
    rotates('id_hash', bind(save.rotation.to, 'bytea'))
  }
  sets.push(
    `authorizations = (authorizations - ${bind(save.removed, 'text[]')}) || ${bind(save.changed, 'jsonb')}`,
  )
  return `update sessions set ${sets.join(', ')} where uid = ${bind(save.uid, 'text')}${and}
    returning id_hash, id_sealed`
}

/** Two tabs may widen it at once, each by what it was asked for. */
function widenGrant(row: Row, and: string, bind: Bind): string {
  const union = (column: 'scopes' | 'claims') =>
    `${column} = ${unitedNames(column, bind(row[column], 'text[]'))}`
  return `update grants set ${union('scopes')}, ${union('claims')},
      resources = ${unitedResources('grants.resources', bind(row.resources, 'jsonb'))},
      offline = offline or ${bind(row.offline, 'boolean')},
      expires_at = greatest(expires_at, ${bind(row.expires_at, 'timestamptz')})
    where id = ${bind(row.id, 'text')}${and} returning 1`
}

function columnType(columns: Readonly<Record<string, string>>, column: string): string {
  const type = columns[column]
  if (!type) throw new Error(`no such column: ${column}`)
  return type
}
