/** `idp webhooks create list get update delete test`: services that are told what happens here. */
import type { Command } from 'commander'
import { publishedTypes } from '../audit/published.ts'
import { readSecretKeys } from '../config/commands.ts'
import { createKeyring } from '../crypto.ts'
import { createOutgoing } from '../outgoing/outgoing.ts'
import { webhookJson } from '../webhooks/json.ts'
import { testWebhook } from '../webhooks/send.ts'
import {
  createWebhook,
  deleteWebhook,
  findWebhook,
  listWebhooks,
  updateWebhook,
} from '../webhooks/webhooks.ts'
import { type Connected, type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, confirm } from './input.ts'
import { addDeliveries } from './webhook-deliveries.ts'
import { webhookFields, webhookRow } from './webhook-view.ts'

type Flags = { json?: boolean }
type CreateFlags = Flags & { event?: string[]; note?: string }
type UpdateFlags = CreateFlags & {
  url?: string
  enable?: boolean
  disable?: boolean
  rotateSecret?: boolean
}

export function addWebhooks(program: Command, context: Context): void {
  const group = program
    .command('webhooks')
    .helpCommand(false)
    .summary('services that are told what happens')
    .description(
      `Services that are told of accounts, sessions, grants and roles, signed as Standard Webhooks says. Events: ${publishedTypes.join(' ')}; all of a kind as in account.*, everything as *.`,
    )
  withExamples(
    group
      .command('create <url>')
      .summary('tell a service')
      .description('Makes a webhook and prints its secret once; it is kept sealed.')
      .option('--event <type>', 'what it hears of; may be repeated; not given: everything', collect)
      .option('--note <text>', 'for you and other admins')
      .option('--json', 'print JSON')
      .action((url: string, flags: CreateFlags) => create(context, url, flags)),
    [
      [
        'webhooks create https://crm.example.org/hooks --event "account.*" --event role.added',
        'accounts, and roles that are given',
      ],
    ],
  )
  withExamples(
    group
      .command('list')
      .summary('every webhook, never its secret')
      .description('Lists the webhooks with what waits for them and what has failed.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Flags & { quiet?: boolean }) => list(context, flags)),
    [['webhooks list', 'who is told, and who does not listen']],
  )
  withExamples(
    group
      .command('get <id>')
      .summary('one of them')
      .description('Shows one webhook, never its secret.')
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags) => get(context, id, flags)),
    [['webhooks get 4f0c2a9b1e', 'what it hears of']],
  )
  withExamples(
    group
      .command('update <id>')
      .summary('change what is named')
      .description('Changes what is named; the rest stays.')
      .option('--url <url>', 'where it listens')
      .option('--event <type>', 'what it hears of instead; may be repeated', collect)
      .option('--note <text>', 'for you and other admins')
      .option('--disable', 'tell it nothing; what waits, waits on')
      .option('--enable', 'tell it again')
      .option('--rotate-secret', 'a new secret; for a day the old one signs beside it')
      .option('--json', 'print JSON')
      .action((id: string, flags: UpdateFlags) => update(context, id, flags)),
    [['webhooks update 4f0c2a9b1e --rotate-secret', 'then give the service the new one']],
  )
  withExamples(
    group
      .command('delete <id>')
      .summary('tell it nothing any more')
      .description('Removes a webhook with everything that waits for it.')
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags & { yes?: boolean }) => remove(context, id, flags)),
    [['webhooks delete 4f0c2a9b1e --yes', 'from a script']],
  )
  withExamples(
    group
      .command('test <id>')
      .summary('send it a message now')
      .description('Sends one message of type webhook.test from here and says how it was answered.')
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags) => test(context, id, flags)),
    [['webhooks test 4f0c2a9b1e', 'does it listen, and is its check of signatures right']],
  )
  addDeliveries(group, context)
}

function create(context: Context, url: string, flags: CreateFlags): Promise<void> {
  return withDatabase(context, async (connected) => {
    const { out, io } = connected
    const { secret, webhook } = await createWebhook(
      sealing(connected),
      { url, events: flags.event ?? ['*'], note: flags.note },
      { actor: operator(io) },
    )
    if (flags.json) return out.json({ webhook: { ...webhookJson(webhook), secret } })
    out.fields([['Secret', secret], ...webhookFields(webhook)])
    out.say(
      `This is the only time that the secret is shown. Try it: idp webhooks test ${webhook.id}`,
    )
  })
}

function list(context: Context, flags: Flags & { quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listWebhooks(db)
    if (flags.json) return out.json({ webhooks: all.map(webhookJson) })
    if (flags.quiet) return out.lines(all.map(({ id }) => id))
    if (all.length === 0) return out.say('Nobody is told anything. See: idp webhooks create --help')
    out.table(['ID', 'STATE', 'URL', 'EVENTS', 'WAITING', 'FAILED', 'NOTE'], all.map(webhookRow))
  })
}

function get(context: Context, id: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const webhook = await findWebhook(db, id)
    if (!webhook) throw missing(id)
    if (flags.json) out.json({ webhook: webhookJson(webhook) })
    else out.fields(webhookFields(webhook))
  })
}

async function update(context: Context, id: string, flags: UpdateFlags): Promise<void> {
  const { url, event: events, note, rotateSecret, enable, disable, json } = flags
  if (enable && disable) throw new CliError(exitCodes.usage, 'Either --enable or --disable.')
  const disabled = enable || disable ? disable === true : undefined
  const change = { url, events, note, disabled, rotate: rotateSecret }
  if (Object.values(change).every((value) => value === undefined)) {
    throw new CliError(exitCodes.usage, 'What is to change?', ['See: idp webhooks update --help'])
  }
  await withDatabase(context, async (connected) => {
    const { out, io } = connected
    // Only a rotation seals anything.
    const deps = rotateSecret
      ? sealing(connected)
      : { db: connected.db, keyring: createKeyring(['-']) }
    const done = await updateWebhook(deps, id, change, { actor: operator(io) })
    if (!done) throw missing(id)
    const { secret, webhook } = done
    if (json)
      return out.json({ webhook: { ...webhookJson(webhook), ...(secret ? { secret } : {}) } })
    out.fields([
      ...(secret ? [['Secret', secret] as [string, string]] : []),
      ...webhookFields(webhook),
    ])
    if (secret) out.say('The old secret signs beside it for a day. The new one is shown only now.')
  })
}

function remove(context: Context, id: string, flags: Flags & { yes?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const webhook = await findWebhook(db, id)
    if (!webhook) throw missing(id)
    const question = `Remove ${webhook.url} with ${webhook.pending} messages that wait for it?`
    if (!flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was removed.')
    }
    await deleteWebhook(db, id, { actor: operator(io) })
    if (flags.json) out.json({ deleted: id })
    out.say(`Removed ${webhook.url}.`)
  })
}

function test(context: Context, id: string, flags: Flags): Promise<void> {
  return withDatabase(context, async (connected) => {
    const { out, config } = connected
    const { fetch } = createOutgoing(config)
    const outcome = await testWebhook({ ...sealing(connected), fetch }, id)
    if (!outcome) throw missing(id)
    if (flags.json)
      out.json({
        delivered: outcome.ok,
        id: outcome.id,
        ...(outcome.ok ? {} : { error: outcome.error }),
      })
    if (!outcome.ok) {
      throw new CliError(exitCodes.failed, `It was not taken: ${outcome.error}.`, [
        'Anything but a 2xx answer within five seconds counts as not delivered.',
      ])
    }
    out.say(`It was taken, as message ${outcome.id}.`)
  })
}

function sealing({ db, io }: Connected) {
  return { db, keyring: createKeyring(readSecretKeys(io.env, { mayBeFirst: true })) }
}

function missing(id: string): CliError {
  return new CliError(exitCodes.notFound, `There is no webhook “${id}”, or it is off.`, [
    'See: idp webhooks list',
  ])
}
