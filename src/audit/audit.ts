/**
 * What happened, to whom, from where. An event is written in the transaction of its act, so there is
 * neither an act without its event nor the reverse. `detail` never holds a secret.
 */
import { isIP } from 'node:net'
import { sql } from 'kysely'
import { newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { messageOf, sendAlong } from './published.ts'

export type Actor = {
  kind: 'person' | 'client' | 'operator' | 'system'
  id?: string | undefined
  /** Where the act came from, for functions that are told of nothing but the actor. */
  origin?: Origin | undefined
}

/** Where a request came from; empty for commands and jobs. */
export type Origin = {
  address?: string | undefined
  requestId?: string | undefined
  userAgent?: string | undefined
}

export type AuditEvent = {
  /** `noun.verb` in the past tense, such as `session.started`. */
  type: string
  actor?: Actor
  accountId?: string | undefined
  clientId?: string | undefined
  origin?: Origin | undefined
  detail?: Record<string, unknown>
}

export async function record(db: Db, event: AuditEvent): Promise<void> {
  const { actor = { kind: 'system' } } = event
  const origin = event.origin ?? actor.origin ?? {}
  const userAgent = origin.userAgent ? { userAgent: origin.userAgent.slice(0, 256) } : {}
  const kept = db.insertInto('auditEvents').values({
    id: newId(),
    type: event.type,
    actorKind: actor.kind,
    actorId: actor.id ?? null,
    accountId: event.accountId ?? null,
    clientId: event.clientId ?? null,
    address: origin.address && isIP(origin.address) ? origin.address : null,
    requestId: origin.requestId ?? null,
    detail: JSON.stringify({ ...event.detail, ...userAgent }),
  })
  const message = messageOf(event, new Date())
  if (message) await sendAlong(sql`${kept}`, message).execute(db)
  else await kept.execute()
}
