/** What a file changes: for people, and for programs. */
import type { Change, FieldChange } from '../apply/apply.ts'
import type { Output, Style } from './output.ts'
import { cutTo, printable } from './text.ts'

const signs: Record<Change['action'], [sign: string, style: Style]> = {
  created: ['+', 'green'],
  changed: ['~', 'yellow'],
  removed: ['-', 'red'],
  unchanged: ['=', 'dim'],
}

export function toJson(changes: Change[], plan: boolean) {
  return {
    changes: changes.map(({ secret, clientId, ...change }) => ({
      ...change,
      // What is only planned has neither.
      ...(plan || clientId === undefined ? {} : { client_id: clientId }),
      ...(plan || secret === undefined ? {} : { client_secret: secret }),
    })),
    summary: summarise(changes),
  }
}

export function showChanges(out: Output, changes: Change[], plan: boolean): void {
  for (const change of changes.filter(({ action }) => action !== 'unchanged'))
    show(out, change, plan)
  const summary = summarise(changes)
  if (summary.unchanged === changes.length) out.say('Everything is as the file says.')
  else if (!plan) out.say(`${wordsOf(summary)}. Servers follow within two seconds.`)
}

export function wordsOf({ created, changed, removed, unchanged }: Summary): string {
  return `${created} created, ${changed} changed, ${removed} removed, ${unchanged} as they were`
}

function show(out: Output, { kind, name, action, fields, notes, ...made }: Change, plan: boolean) {
  const [sign, style] = signs[action]
  out.raw(`${out.style(style, sign)} ${kind === name ? '' : `${kind} `}${printable(name)}`)
  for (const field of fields) out.raw(`    ${describe(field, action)}`)
  for (const note of notes) out.raw(`    ${out.style('yellow', '!')} ${printable(note)}`)
  if (plan) return
  if (made.clientId !== undefined) out.raw(`    client id: ${made.clientId}`)
  if (made.secret !== undefined) out.raw(`    client secret, shown this once: ${made.secret}`)
}

function describe({ field, from, to, hidden }: FieldChange, action: Change['action']): string {
  if (hidden) return `${field}: ${action === 'created' ? 'set' : 'changed'} (not shown)`
  if (action === 'created') return `${field}: ${words(to)}`
  return `${field}: ${words(from)} → ${words(to)}`
}

function words(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'string' && value !== '' ? value : JSON.stringify(value)
  return cutTo(printable(text), 160)
}

export type Summary = Record<Change['action'], number>

export function summarise(changes: Change[]): Summary {
  const count = (wanted: Change['action']) =>
    changes.filter(({ action }) => action === wanted).length
  return {
    created: count('created'),
    changed: count('changed'),
    removed: count('removed'),
    unchanged: count('unchanged'),
  }
}
