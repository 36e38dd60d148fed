/** Which audit events are wanted: the filters that search, tail and export share. */
import { isIP } from 'node:net'
import type { Command } from 'commander'
import type { EventFilter } from '../audit/search.ts'
import type { Db } from '../database/connection.ts'
import { CliError, exitCodes } from './errors.ts'
import { collect, parseDuration } from './input.ts'
import { whichClient } from './sessions.ts'
import { resolveUser } from './user-find.ts'

export type FilterFlags = {
  account?: string
  client?: string
  type?: string[]
  actor?: string
  address?: string
  since?: string
  until?: string
}
export function withFilters(command: Command): Command {
  return command
    .option('--account <user>', 'to this person, by username, address or id')
    .option('--client <client>', 'at this app')
    .option('--type <type>', 'such as sign_in.refused, or all of sign_in; may be repeated', collect)
    .option('--actor <who>', 'operator, person, client, system, or an operator’s name')
    .option('--address <address>', 'from this address or network')
    .option('--since <time>', 'not older: 2h, 7d, 2026-11-20 or 2026-11-20T08:00Z')
    .option('--until <time>', 'older')
}

/** Throws wrong use, and "not found" for a person or an app that is not there. */
export async function readFilter(db: Db, flags: FilterFlags): Promise<EventFilter> {
  const { address } = flags
  const [host = '', bits, ...rest] = (address ?? '').split('/')
  const family = isIP(host)
  const network =
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  if (address !== undefined && !(family > 0 && network && rest.length === 0))
    throw new CliError(exitCodes.usage, `--address cannot be “${address}”.`, [
      'Give 203.0.113.7 or 203.0.113.0/24.',
    ])
  const since = readTime('--since', flags.since)
  const until = readTime('--until', flags.until)
  return {
    accountId: flags.account === undefined ? undefined : await idOf(db, flags.account),
    clientId: flags.client === undefined ? undefined : (await whichClient(db, flags.client)).id,
    types: flags.type,
    actor: flags.actor,
    address: bits === undefined ? address : `${host}/${bits}`,
    since,
    until,
  }
}

/** Of somebody who is gone only the id is left. */
async function idOf(db: Db, user: string): Promise<string> {
  return isUuid(user) ? user : (await resolveUser(db, user)).id
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

/** A duration is so long ago; a day begins at midnight UTC. */
function readTime(flag: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const seconds = /[smhd]$/.test(text) ? parseDuration(text) : undefined
  if (seconds !== undefined) return new Date(Date.now() - seconds * 1000)
  const at = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text)
    ? new Date(/T/.test(text) && !/(Z|[+-]\d\d:\d\d)$/.test(text) ? `${text}Z` : text)
    : new Date(Number.NaN)
  if (!Number.isNaN(at.getTime())) return at
  throw new CliError(exitCodes.usage, `${flag} cannot be “${text}”.`, [
    'Give 2h, 7d, 2026-11-20 or 2026-11-20T08:00Z.',
  ])
}
