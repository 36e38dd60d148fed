/** Audit events for a person at a terminal, and for programs. */
import type { FoundEvent } from '../audit/search.ts'
import { stamp } from './client-view.ts'
import type { Cell } from './output.ts'

/** Where the name of a type does not read as what happened; the others do, without their dots. */
const words: Record<string, string> = {
  'sign_in.succeeded': 'signed in',
  'sign_in.refused': 'wrong name or password',
  'second_factor.refused': 'wrong second factor',
  'mail_proof.refused': 'wrong code from a mail',
  'registration.code_refused': 'wrong code from a mail',
  'registration.address_owned': 'registered with an address that has an account',
  'session.ended': 'signed out',
  'mail.held_back': 'mail held back: too many',
  'mail.refused': 'mail refused by the server',
  'logout.undelivered': 'app not told of a sign-out',
  'account.recovery_linked': 'link for a new password made',
  'passkey.counter_went_back': 'passkey may have been copied',
  'password.reset': 'new password by mail or link',
  'consent.given': 'let an app in',
  'consent.withdrawn': 'took back what an app may do',
}

export function eventWords(type: string): string {
  return words[type] ?? type.replace(/[._]/g, ' ')
}

export const eventHeadings = ['WHEN', 'WHAT', 'BY', 'ACCOUNT', 'APP', 'FROM', 'MORE']

export function eventRow(event: FoundEvent): Cell[] {
  const { type, at, username, accountId, clientName, clientId, address } = event
  const bad = /refused|undelivered|went_back|failed/.test(type)
  return [
    stamp(at),
    bad ? { text: eventWords(type), style: 'red' } : eventWords(type),
    whoOf(event),
    username ?? accountId ?? '',
    clientName ?? clientId ?? '',
    address ?? '',
    moreOf(event.detail),
  ]
}

function whoOf({ actorKind, actorName, actorId }: FoundEvent): string {
  if (actorKind === 'person') return actorName ?? 'person'
  return actorKind === 'operator' && actorId ? `operator ${actorId}` : actorKind
}

/** What a line has room for: the browser's long name is for programs. */
function moreOf({ userAgent: _, ...detail }: Record<string, unknown>): string {
  return Object.entries(detail)
    .filter(
      ([, value]) =>
        value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
    )
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}

export function eventJson(event: FoundEvent): Record<string, unknown> {
  return {
    id: event.id,
    at: event.at.toISOString(),
    type: event.type,
    actor: { kind: event.actorKind, id: event.actorId },
    account_id: event.accountId,
    username: event.username,
    client_id: event.clientId,
    address: event.address,
    request_id: event.requestId,
    detail: event.detail,
  }
}
