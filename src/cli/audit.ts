/** `idp audit search tail export`: what happened, to whom, from where. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import {
  type FoundEvent,
  listEvents,
  listNewEvents,
  mostEvents,
  readEvents,
} from '../audit/search.ts'
import { type FilterFlags, isUuid, readFilter, withFilters } from './audit-filter.ts'
import { eventHeadings, eventJson, eventRow } from './audit-view.ts'
import { type Context, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { writeTo } from './files.ts'
import { withExamples } from './help.ts'
import { readCount } from './input.ts'
import { createProgress } from './progress.ts'

type ListFlags = FilterFlags & { limit: string; before?: string; quiet?: boolean; json?: boolean }
type TailFlags = FilterFlags & { follow?: boolean; lines: string; json?: boolean }

const pollMs = 1000

export function addAudit(program: Command, context: Context): void {
  const audit = program
    .command('audit')
    .helpCommand(false)
    .summary('what happened, to whom, from where')
    .description(
      'The audit trail: written in the transaction of each act, never changed afterwards.',
    )
  withExamples(
    withFilters(
      audit
        .command('search')
        .summary('the newest first, a page at a time')
        .description('Looks events up, the newest first. All filters that are given must fit.')
        .option('--limit <number>', `how many, ${mostEvents} at most`, '100')
        .option('--before <id>', 'the next page: older than this event')
        .option('-q, --quiet', 'ids alone')
        .option('--json', 'print JSON'),
    ).action((flags: ListFlags) => search(context, flags)),
    [
      [
        'audit search --account ada --since 2d',
        'what happened to Ada since the day before yesterday',
      ],
      [
        'audit search --type sign_in.refused --address 203.0.113.0/24',
        'who guesses from that network',
      ],
      ['audit search --actor operator --type client', 'what operators did to apps'],
    ],
  )
  withExamples(
    withFilters(
      audit
        .command('tail')
        .summary('the newest last; -f goes on')
        .description(
          'Prints the last events in their order, and with --follow those to come until you press Ctrl-C.',
        )
        .option('-f, --follow', 'go on with what happens')
        .option('-n, --lines <number>', `how many at first, ${mostEvents} at most`, '20')
        .option('--json', 'an object on each line'),
    ).action((flags: TailFlags) => tail(context, flags)),
    [
      ['audit tail -f', 'watch'],
      ['audit tail --follow --type sign_in --json', 'for a program that watches'],
    ],
  )
  withExamples(
    withFilters(
      audit
        .command('export <file>')
        .summary('all of it as JSON lines; - is standard output')
        .description(
          'Writes events in their order, an object on each line. The file is for its owner alone.',
        ),
    ).action((file: string, flags: FilterFlags) => exportTo(context, file, flags)),
    [
      ['audit export 2026.jsonl --since 2026-01-01 --until 2027-01-01', 'a year for the auditors'],
      ['audit export - --client Cloud', 'one app, for a program'],
    ],
  )
}

function search(context: Context, flags: ListFlags): Promise<void> {
  const limit = readCount('--limit', flags.limit, mostEvents)
  if (flags.before !== undefined && !isUuid(flags.before))
    throw new CliError(exitCodes.usage, '--before takes the id of an event.')
  return withDatabase(context, async ({ db, out }) => {
    const filter = { ...(await readFilter(db, flags)), before: flags.before }
    const found = await listEvents(db, filter, { limit })
    const next = found.length === limit ? found.at(-1)?.id : undefined
    if (flags.json) out.json({ events: found.map(eventJson), next: next ?? null })
    else if (flags.quiet) for (const { id } of found) out.raw(id)
    else if (found.length > 0) out.table(eventHeadings, found.map(eventRow))
    if (found.length === 0) out.say('Nothing like that.')
    else if (next) out.say(`There may be more: --before ${next}`)
  })
}

function tail(context: Context, flags: TailFlags): Promise<void> {
  const limit = readCount('--lines', flags.lines, mostEvents)
  return withDatabase(context, async ({ db, out, io }) => {
    const filter = await readFilter(db, flags)
    let bare = false
    const print = (events: FoundEvent[]) => {
      if (flags.json)
        for (const event of events) out.raw(JSON.stringify({ version: 1, event: eventJson(event) }))
      else if (events.length > 0) {
        out.table(eventHeadings, events.map(eventRow), { bare })
        bare = true
      }
    }
    const seen = new Map<string, number>()
    if (flags.follow) await listNewEvents(db, filter, seen)
    const last = (await listEvents(db, filter, { limit })).reverse()
    for (const { id } of last) if (flags.follow) seen.set(id, Date.now())
    print(last)
    while (flags.follow && !io.signal?.aborted && !io.stdout.destroyed) {
      await sleep(pollMs, undefined, io.signal ? { signal: io.signal } : {}).catch(() => {})
      print(await listNewEvents(db, filter, seen))
    }
  })
}

function exportTo(context: Context, file: string, flags: FilterFlags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const filter = await readFilter(db, flags)
    const progress = createProgress(io, 'events')
    const count = await writeTo(io, file, async (write) => {
      let written = 0
      await write(`${JSON.stringify({ version: 1, format: 'idp.audit' })}\n`)
      for await (const event of readEvents(db, filter)) {
        await write(`${JSON.stringify(eventJson(event))}\n`)
        progress.update(++written)
      }
      return written
    }).finally(progress.end)
    out.say(`Exported ${count} events.`)
  })
}
