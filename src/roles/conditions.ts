/**
 * Under which circumstances a permission counts: at what time, after what sign-in, by which app, from where. Each
 * condition can only take something away; what the context does not say is not met.
 */
import { BlockList, isIP } from 'node:net'
import { isLevel, type Level, reaches } from '../clients/levels.ts'

/** `days` are 1 (Monday) to 7, `from` and `to` minutes of the day; `to` may lie on the day after. */
export type Hours = { days: number[]; from: number; to: number; zone: string }

export type Conditions = {
  hours?: Hours
  /** Milliseconds since 1970. */
  after?: number
  before?: number
  /** At least. */
  acr?: Level
  clients?: string[]
  /** Addresses, or ranges such as `10.0.0.0/8`. */
  addresses?: string[]
}

/** The circumstances of a question; what is absent is not known. */
export type DecisionContext = {
  time?: Date | undefined
  acr?: string | undefined
  client?: string | undefined
  address?: string | undefined
}

export const conditionNames = ['hours', 'after', 'before', 'acr', 'client', 'address'] as const

export type ConditionName = (typeof conditionNames)[number]

/** The conditions that are not met, none when all are. */
export function unmet(conditions: Conditions, context: DecisionContext): ConditionName[] {
  const { hours, after, before, acr, clients, addresses } = conditions
  const { time } = context
  const at = time && Number.isFinite(time.getTime()) ? time : undefined
  const met: Record<ConditionName, boolean> = {
    hours: !hours || (at !== undefined && isWithin(hours, at)),
    after: after === undefined || (at !== undefined && at.getTime() >= after),
    before: before === undefined || (at !== undefined && at.getTime() < before),
    acr: !acr || (isLevel(context.acr) && reaches(context.acr, acr)),
    client: !clients || (context.client !== undefined && clients.includes(context.client)),
    address: !addresses || (context.address !== undefined && isIn(addresses, context.address)),
  }
  return conditionNames.filter((name) => !met[name])
}

/** Whether `have` asks nothing that `want` does not ask as well: then whatever meets `want` meets `have`. */
export function asksNoMore(have: Conditions, want: Conditions): boolean {
  const { hours, after, before, acr, clients, addresses } = have
  return (
    (!hours || (want.hours !== undefined && sameHours(hours, want.hours))) &&
    (after === undefined || (want.after !== undefined && want.after >= after)) &&
    (before === undefined || (want.before !== undefined && want.before <= before)) &&
    (!acr || (want.acr !== undefined && reaches(want.acr, acr))) &&
    (!clients || (want.clients?.every((client) => clients.includes(client)) ?? false)) &&
    (!addresses || (want.addresses?.every((range) => isRangeIn(addresses, range)) ?? false))
  )
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** One condition as an admin writes it, `name=value`. Undefined for what is none. */
export function parseCondition(text: string): Conditions | undefined {
  const [, name = '', value = ''] = /^([a-z]+)=(\S{1,500})$/.exec(text) ?? []
  switch (name) {
    case 'hours': {
      const hours = parseHours(value)
      return hours && { hours }
    }
    case 'after':
    case 'before': {
      const at = parseInstant(value)
      return at === undefined ? undefined : { [name]: at }
    }
    case 'acr':
      return isLevel(value) ? { acr: value } : undefined
    case 'client': {
      const clients = listOf(value)
      return clients?.every((id) => /^[\w-]{1,128}$/.test(id)) ? { clients } : undefined
    }
    case 'address': {
      const addresses = listOf(value)
      return addresses?.every((range) => rangeOf(range)) ? { addresses } : undefined
    }
    default:
      return undefined
  }
}

export function formatConditions(conditions: Conditions): string[] {
  const { hours, after, before, acr, clients, addresses } = conditions
  return [
    ...(hours ? [`hours=${formatHours(hours)}`] : []),
    ...(after === undefined ? [] : [`after=${new Date(after).toISOString()}`]),
    ...(before === undefined ? [] : [`before=${new Date(before).toISOString()}`]),
    ...(acr ? [`acr=${acr}`] : []),
    ...(clients ? [`client=${clients.join(',')}`] : []),
    ...(addresses ? [`address=${addresses.join(',')}`] : []),
  ]
}

/** `mon-fri/09:00-17:00/Europe/Berlin`; days and zone may be left out (every day, UTC). */
function parseHours(text: string): Hours | undefined {
  const [, days, from = '', to = '', zone = 'UTC'] =
    /^(?:([a-z,-]+)\/)?(\d\d:\d\d)-(\d\d:\d\d)(?:\/([A-Za-z0-9_+/-]+))?$/.exec(text) ?? []
  const chosen = days === undefined ? [1, 2, 3, 4, 5, 6, 7] : parseDays(days)
  const [start, end] = [minutesOf(from), minutesOf(to)]
  if (!chosen || start === undefined || end === undefined || start === end || !clockOf(zone))
    return undefined
  return { days: chosen, from: start, to: end, zone }
}

function formatHours({ days, from, to, zone }: Hours): string {
  const clock = (minutes: number) =>
    [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':')
  const names = days.map((day) => dayNames[day - 1])
  return `${days.length === 7 ? '' : `${names.join(',')}/`}${clock(from)}-${clock(to)}/${zone}`
}

/** `mon-fri,sun`. */
function parseDays(text: string): number[] | undefined {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [first = '', last = first, ...more] = part.split('-')
    const [from, to] = [dayNames.indexOf(first), dayNames.indexOf(last)]
    if (from < 0 || to < from || more.length > 0) return undefined
    for (let day = from; day <= to; day++) days.add(day + 1)
  }
  return [...days].toSorted((a, b) => a - b)
}

function minutesOf(text: string): number | undefined {
  const [hours = 99, minutes = 99] = text.split(':').map(Number)
  return hours < 24 && minutes < 60 ? hours * 60 + minutes : undefined
}

/** RFC 3339 with its offset. */
export function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text))
    return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

function isWithin({ days, from, to, zone }: Hours, time: Date): boolean {
  const clock = clockOf(zone)
  if (!clock) return false
  const parts = Object.fromEntries(
    clock.formatToParts(time).map(({ type, value }) => [type, value]),
  )
  const day = dayNames.indexOf(String(parts.weekday).toLowerCase()) + 1
  const now = Number(parts.hour) * 60 + Number(parts.minute)
  if (from < to) return days.includes(day) && now >= from && now < to
  const dayBefore = day === 1 ? 7 : day - 1
  return (days.includes(day) && now >= from) || (days.includes(dayBefore) && now < to)
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** Undefined for a zone that nobody knows. */
function clockOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = clocks.get(zone)
  if (known) return known
  try {
    const clock = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
    clocks.set(zone, clock)
    return clock
  } catch {
    return undefined
  }
}

function sameHours(a: Hours, b: Hours): boolean {
  return formatHours(a) === formatHours(b)
}

function listOf(text: string): string[] | undefined {
  const parts = text.split(',')
  return parts.length <= 50 && !parts.includes('') ? [...new Set(parts)] : undefined
}

type Range = { network: string; bits: number; family: 'ipv4' | 'ipv6' }

function rangeOf(text: string): Range | undefined {
  const [network = '', bits, ...more] = text.split('/')
  const version = isIP(network)
  if (version === 0 || network.includes('%') || more.length > 0) return undefined
  const longest = version === 4 ? 32 : 128
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
  if (length < 0 || length > longest) return undefined
  return { network, bits: length, family: version === 4 ? 'ipv4' : 'ipv6' }
}

const lists = new WeakMap<string[], BlockList>()

function isIn(ranges: string[], address: string): boolean {
  const version = isIP(address)
  if (version === 0) return false
  let list = lists.get(ranges)
  if (!list) {
    list = new BlockList()
    for (const range of ranges) {
      const { network, bits, family } = rangeOf(range) as Range
      list.addSubnet(network, bits, family)
    }
    lists.set(ranges, list)
  }
  return list.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

function isRangeIn(ranges: string[], wanted: string): boolean {
  const inner = rangeOf(wanted)
  return ranges.some((range) => {
    const outer = rangeOf(range)
    if (!inner || !outer || inner.family !== outer.family || inner.bits < outer.bits) return false
    return isIn([range], inner.network)
  })
}
