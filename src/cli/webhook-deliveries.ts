/** `idp webhooks deliveries list replay`: what was sent to whom, what was not, and sending it again. */
import type { Command } from 'commander'
import { type KnownDelivery, listDeliveries, replay } from '../webhooks/deliveries.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readCount } from './input.ts'
import type { Cell } from './output.ts'

type ListFlags = {
  webhook?: string
  state?: string
  limit: string
  quiet?: boolean
  json?: boolean
}
type ReplayFlags = { webhook?: string; json?: boolean }

const states = ['pending', 'delivered', 'failed']
const anyId = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

export function addDeliveries(webhooks: Command, context: Context): void {
  const deliveries = webhooks
    .command('deliveries')
    .helpCommand(false)
    .summary('what was sent, and what was not')
    .description('Messages of the last days: those that wait, arrived or failed.')
  withExamples(
    deliveries
      .command('list')
      .summary('the newest first')
      .description('Lists messages. What arrived is kept for a week, what failed for a month.')
      .option('--webhook <id>', 'of one webhook')
      .option('--state <state>', `of ${states.join(', ')}`)
      .option('--limit <number>', 'how many at most', '50')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => list(context, flags)),
    [['webhooks deliveries list --state failed', 'what was given up']],
  )
  withExamples(
    deliveries
      .command('replay [delivery]')
      .summary('send again')
      .description(
        'Sends a message again, or with --webhook all of one that have failed. The id stays the same, so that a receiver which has it may say so.',
      )
      .option('--webhook <id>', 'every failed one of this webhook')
      .option('--json', 'print JSON')
      .action((delivery: string | undefined, flags: ReplayFlags) =>
        again(context, delivery, flags),
      ),
    [['webhooks deliveries replay --webhook 4f0c2a9b1e', 'after the receiver was mended']],
  )
}

async function list(context: Context, flags: ListFlags): Promise<void> {
  const limit = readCount('--limit', flags.limit, 9999)
  const { webhook, state } = flags
  if (state !== undefined && !states.includes(state)) {
    throw wrong('--state', state, `Give one of ${states.join(', ')}.`)
  }
  await withDatabase(context, async ({ db, out }) => {
    const found = await listDeliveries(db, {
      limit,
      ...(webhook === undefined ? {} : { webhookId: webhook }),
      ...(state === undefined ? {} : { state }),
    })
    if (flags.json) return out.json({ deliveries: found.map(deliveryJson) })
    if (flags.quiet) return out.lines(found.map(({ id }) => id))
    if (found.length === 0) return out.say('Nothing.')
    out.table(['ID', 'WEBHOOK', 'EVENT', 'STATE', 'ATTEMPTS', 'SINCE', 'NEXT'], found.map(asRow))
  })
}

async function again(
  context: Context,
  delivery: string | undefined,
  flags: ReplayFlags,
): Promise<void> {
  if ((delivery === undefined) === (flags.webhook === undefined)) {
    throw new CliError(exitCodes.usage, 'What is to be sent again?', [
      'Give the id of a message, or --webhook ID for all that have failed.',
    ])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const { webhook } = flags
    // What is no id is looked for as one that nobody has.
    const id = anyId.test(delivery ?? '')
      ? String(delivery)
      : '00000000-0000-0000-0000-000000000000'
    const which = webhook === undefined ? { id } : { webhookId: webhook }
    const count = await replay(db, which, operator(io))
    if (count === 0 && webhook === undefined) {
      throw new CliError(exitCodes.notFound, `There is no message “${delivery}”.`, [
        'See: idp webhooks deliveries list',
      ])
    }
    if (flags.json) out.json({ replayed: count })
    out.say(count === 1 ? 'One message is sent again.' : `${count} messages are sent again.`)
  })
}

function deliveryJson(delivery: KnownDelivery): Record<string, unknown> {
  const { id, webhookId, type, state, attempts, error, createdAt } = delivery
  return {
    id,
    webhook: webhookId,
    type,
    state,
    attempts,
    error,
    created_at: createdAt,
    next_attempt_at: state === 'pending' ? delivery.nextAttemptAt : null,
    settled_at: delivery.settledAt,
  }
}

function asRow(delivery: KnownDelivery): Cell[] {
  const { id, webhookId, type, state, attempts, error, createdAt, nextAttemptAt } = delivery
  const style = ({ delivered: 'green', failed: 'red', pending: 'yellow' } as const)[state]
  const text = error ? `${state}: ${error}` : state
  const next = state === 'pending' ? stamp(nextAttemptAt) : ''
  return [id, webhookId, type, { text, style }, String(attempts), stamp(createdAt), next]
}

function wrong(flag: string, given: string, fix: string): CliError {
  return new CliError(exitCodes.usage, `${flag} cannot be “${given}”.`, [fix])
}
