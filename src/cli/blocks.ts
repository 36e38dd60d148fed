/** `idp blocks add list get remove`: addresses that may begin nothing here, by rule or by how they behaved. */
import type { Command } from 'commander'
import { addBlock, type Block, findBlock, listBlocks, removeBlock } from '../blocks/blocks.ts'
import type { Db } from '../database/connection.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { parseDuration } from './input.ts'
import type { Cell } from './output.ts'

type Flags = { json?: boolean }
type AddFlags = Flags & { reason: string; expires: string; all?: boolean }

export function addBlocks(program: Command, context: Context): void {
  const group = program
    .command('blocks')
    .helpCommand(false)
    .summary('addresses that may not sign in anew')
    .description(
      'Addresses that are blocked: by your rule, or by themselves after trying many names or codes. Nobody there signs in anew, registers or tries codes; who is signed in, browsers that an account knows, and apps go on.',
    )
  withExamples(
    group
      .command('add <network>')
      .summary('block an address or a network')
      .description('Blocks an address or a CIDR range. The same again changes reason and end.')
      .requiredOption('--reason <text>', 'for those who come after')
      .option('--expires <time>', 'how long it lasts, or never', 'never')
      .option('--all', 'stop every request from there, of apps and signed-in people too')
      .option('--json', 'print JSON')
      .action((network: string, flags: AddFlags) => add(context, network, flags)),
    [
      ['blocks add 203.0.113.0/24 --reason "stuffing, ticket 4711" --expires 7d', 'for a week'],
      ['blocks add 2001:db8::/32 --reason "a botnet" --all', 'nothing from there at all'],
    ],
  )
  withExamples(
    group
      .command('list')
      .summary('what is blocked now')
      .description('Lists what is blocked, the newest first.')
      .option('--ended', 'also what was blocked in the last days')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Flags & { ended?: boolean; quiet?: boolean }) => list(context, flags)),
    [['blocks list', 'who is kept out, and why']],
  )
  withExamples(
    group
      .command('get <block>')
      .summary('one of them')
      .description('Shows one block, by id or network.')
      .option('--json', 'print JSON')
      .action((block: string, flags: Flags) => get(context, block, flags)),
    [['blocks get 203.0.113.0/24', 'why it is blocked']],
  )
  withExamples(
    group
      .command('remove <block>')
      .summary('lift a block')
      .description('Lifts a block, by id or network, within two seconds in every process.')
      .option('--json', 'print JSON')
      .action((block: string, flags: Flags) => remove(context, block, flags)),
    [['blocks remove 203.0.113.7', 'it was a school after all']],
  )
}

async function add(context: Context, network: string, flags: AddFlags): Promise<void> {
  const lifetimeSeconds = flags.expires === 'never' ? null : parseDuration(flags.expires)
  if (lifetimeSeconds === undefined) {
    throw new CliError(exitCodes.usage, `--expires cannot be “${flags.expires}”.`, [
      'Give a time such as 12h or 30d, or never.',
    ])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const scope = flags.all ? 'all' : 'entry'
    const input = { network, scope, reason: flags.reason, lifetimeSeconds } as const
    const block = await addBlock(db, input, { actor: operator(io) })
    if (flags.json) return out.json({ block: blockJson(block) })
    out.fields(fieldsOf(block))
    out.say('A running server keeps to it within two seconds.')
  })
}

function list(
  context: Context,
  flags: Flags & { ended?: boolean; quiet?: boolean },
): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listBlocks(db, { ended: flags.ended ?? false })
    if (flags.json) return out.json({ blocks: all.map(blockJson) })
    if (flags.quiet) return out.lines(all.map(({ id }) => id))
    if (all.length === 0) return out.say('Nothing is blocked.')
    out.table(['NETWORK', 'ID', 'STATE', 'STOPS', 'WHY', 'ENDS', 'TIMES', 'BY'], all.map(asRow))
  })
}

function get(context: Context, name: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const found = await resolve(db, name)
    if (flags.json) return out.json({ blocks: found.map(blockJson) })
    for (const block of found) out.fields(fieldsOf(block))
  })
}

function remove(context: Context, name: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const removed = []
    for (const { id } of await resolve(db, name)) {
      const block = await removeBlock(db, id, { actor: operator(io) })
      if (block) removed.push(block)
    }
    if (flags.json) out.json({ removed: removed.map(blockJson) })
    for (const { network, kind } of removed) out.say(`Lifted the ${kind} on ${network}.`)
  })
}

/** A network may be blocked by rule and by behaviour at once. */
async function resolve(db: Db, name: string): Promise<Block[]> {
  const byId = await findBlock(db, name)
  if (byId) return [byId]
  const wanted = name.trim().toLowerCase()
  const all = await listBlocks(db, { ended: true })
  const found = all.filter(
    ({ network }) => network === wanted || network.replace(/\/(32|128)$/, '') === wanted,
  )
  if (found.length > 0) return found
  throw new CliError(exitCodes.notFound, `There is no block “${name}”.`, [
    'Give an id or a network of: idp blocks list',
  ])
}

function blockJson(block: Block): Record<string, unknown> {
  const { id, network, kind, scope, reason, createdBy, times, createdAt, expiresAt, live } = block
  return {
    id,
    network,
    kind,
    scope,
    reason,
    times,
    live,
    created_by: createdBy,
    created_at: createdAt,
    expires_at: expiresAt,
  }
}

const whys: Record<string, string> = {
  many_names: 'wrong passwords for many names',
  many_codes: 'many wrong codes',
}
const whyOf = ({ reason, kind }: Block) =>
  kind === 'behaviour' ? (whys[reason] ?? reason) : reason

function fieldsOf(block: Block): [string, string][] {
  return [
    ['Network', block.network],
    ['ID', block.id],
    ['State', block.live ? 'blocked' : 'ended'],
    ['Stops', block.scope === 'all' ? 'everything' : 'signing in anew, registering, codes'],
    ['Why', whyOf(block)],
    ['Since', stamp(block.createdAt)],
    ['Until', block.expiresAt ? stamp(block.expiresAt) : 'it is lifted'],
    ['By', block.createdBy],
  ]
}

function asRow(block: Block): Cell[] {
  const { network, id, live, scope, expiresAt, times, createdBy } = block
  return [
    network,
    id,
    live ? { text: 'blocked', style: 'red' } : { text: 'ended', style: 'dim' },
    scope === 'all' ? 'everything' : 'entry',
    whyOf(block),
    expiresAt ? stamp(expiresAt) : 'never',
    String(times),
    createdBy,
  ]
}
