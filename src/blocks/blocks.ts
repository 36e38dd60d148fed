/**
 * The addresses that are blocked: by an admin's rule until it is lifted or ends, or by behaviour for a quarter of an hour
 * that doubles with each repetition. Which requests a block stops is http/blocked-addresses.ts's.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { AppError } from '../errors.ts'
import { type Network, parseNetwork } from './networks.ts'

/** `entry`: signing in anew, registering, resetting, codes. `all`: every request. */
export type BlockScope = 'entry' | 'all'

export type Behaviour = 'many_names' | 'many_codes'

export type Block = {
  id: string
  /** CIDR. */
  network: string
  kind: 'rule' | 'behaviour'
  scope: BlockScope
  reason: string
  createdBy: string
  times: number
  createdAt: Date
  expiresAt: Date | null
  live: boolean
}

type By = { actor: Actor; origin?: Origin | undefined }

/** More of them at once is no rule any more; the newest count. */
const mostKept = 20_000
const loopback = ['127.0.0.0/8', '::1/128'].flatMap((text) => parseNetwork(text) ?? [])

/**
 * The same network and scope again changes reason and end. Throws `network_invalid`, `network_too_wide` (wider than /8, in
 * IPv6 /16), `network_loopback` and `block_reason_invalid` (all 400).
 */
export async function addBlock(
  db: Db,
  input: {
    network: string
    scope: BlockScope
    reason: string
    /** Null: until it is lifted. */
    lifetimeSeconds: number | null
  },
  { actor, origin }: By,
): Promise<Block> {
  const { scope, reason, lifetimeSeconds } = input
  const network = parseNetwork(input.network)
  if (!network) throw new AppError('network_invalid', 400)
  if (network.bits < (network.family === 4 ? 8 : 16)) throw new AppError('network_too_wide', 400)
  if (loopback.some((own) => overlaps(own, network))) throw new AppError('network_loopback', 400)
  if (reason.trim() === '' || reason.length > 200) throw new AppError('block_reason_invalid', 400)
  return transact(db, async (trx) => {
    const { rows } = await sql<{ id: string; network: string }>`
      insert into blocks (id, network, kind, scope, reason, created_by, expires_at)
      values (${randomBytes(5).toString('hex')}, network(${input.network.trim()}::inet), 'rule', ${scope},
        ${reason}, ${actor.id ?? actor.kind}, now() + make_interval(secs => ${lifetimeSeconds}::double precision))
      on conflict (network, scope) where kind = 'rule' do update
      set reason = excluded.reason, created_by = excluded.created_by, expires_at = excluded.expires_at,
        created_at = now()
      returning id, network::text as network`.execute(trx)
    const [row] = rows
    if (!row) throw new Error('a block without a row')
    await bumpVersion(trx, 'blocks')
    const detail = { ...row, kind: 'rule', scope, reason, lifetimeSeconds }
    await record(trx, { type: 'block.added', actor, origin, detail })
    return (await findBlock(trx, row.id)) as Block
  })
}

/**
 * A network that behaves like a guesser. False when it is blocked already: of many processes and requests that see it at
 * once, one makes the block.
 */
export function blockForBehaviour(db: Db, network: string, behaviour: Behaviour): Promise<boolean> {
  return transact(db, async (trx) => {
    // Whoever comes again within a day of the last end waits twice as long; a day at most.
    const { rows } = await sql<{ id: string; times: number; expiresAt: Date }>`
      insert into blocks as b (id, network, kind, reason, created_by, expires_at)
      values (${randomBytes(5).toString('hex')}, ${network}::cidr, 'behaviour', ${behaviour}, 'system',
        now() + interval '15 minutes')
      on conflict (network) where kind = 'behaviour' do update
      set reason = excluded.reason, created_at = now(),
        times = case when b.expires_at > now() - interval '1 day' then b.times + 1 else 1 end,
        expires_at = now() + least(interval '1 day', interval '15 minutes' *
          case when b.expires_at > now() - interval '1 day' then power(2, least(b.times, 10)) else 1 end)
      where b.expires_at <= now()
      returning id, times, expires_at`.execute(trx)
    const [row] = rows
    if (!row) return false
    await bumpVersion(trx, 'blocks')
    const detail = { ...row, network, kind: 'behaviour', scope: 'entry', reason: behaviour }
    await record(trx, { type: 'block.added', detail })
    return true
  })
}

/** What counts now, the newest first; with `ended` also what has counted in the last days. */
export function listBlocks(db: Db, { ended = false } = {}): Promise<Block[]> {
  return readBlocks(db, ended ? sql`true` : live)
}

export async function findBlock(db: Db, id: string): Promise<Block | undefined> {
  return (await readBlocks(db, sql`id = ${id}`))[0]
}

/** Ended at once, and forgotten: should it be blocked again, that is the first time. Undefined when there was none. */
export function removeBlock(db: Db, id: string, { actor, origin }: By): Promise<Block | undefined> {
  return transact(db, async (trx) => {
    const block = await findBlock(trx, id)
    const { numDeletedRows } = await trx
      .deleteFrom('blocks')
      .where('id', '=', id)
      .executeTakeFirst()
    if (!block || numDeletedRows === 0n) return undefined
    await bumpVersion(trx, 'blocks')
    const { network, kind, scope, reason } = block
    await record(trx, {
      type: 'block.removed',
      actor,
      origin,
      detail: { id, network, kind, scope, reason },
    })
    return block
  })
}

/** For the cleanup: what ended days ago lengthens nothing any more. */
export async function removeEndedBlocks(db: Db): Promise<number> {
  const gone = await db
    .deleteFrom('blocks')
    .where('expiresAt', '<', sql<Date>`now() - interval '7 days'`)
    .executeTakeFirst()
  return Number(gone.numDeletedRows)
}

const live = sql`(expires_at is null or expires_at > now())`

async function readBlocks(db: Db, condition: ReturnType<typeof sql>): Promise<Block[]> {
  const { rows } = await sql<Block>`
    select id, network::text as network, kind, scope, reason, created_by, times, created_at, expires_at,
      ${live} as live
    from blocks where ${condition} order by created_at desc, id limit ${mostKept}`.execute(db)
  return rows
}

function overlaps(one: Network, other: Network): boolean {
  if (one.family !== other.family) return false
  const width = one.family === 4 ? 32 : 128
  const shift = BigInt(width - Math.min(one.bits, other.bits))
  return one.base >> shift === other.base >> shift
}
