/**
 * Which events of the audit trail other services may hear of, under which type, and what of them: who and which app, and
 * nothing that would make a person of an id. What they want to know beyond that they ask us for. An event leaves in the
 * statement that keeps it, so there is neither news without its act nor an act without its news.
 */
import { type RawBuilder, sql } from 'kysely'
import type { AuditEvent } from './audit.ts'

type Published = {
  type: string
  /** Members of the detail that are told as well: names of ours, never what people typed. */
  with?: readonly string[]
}

const role = ['role'] as const

/** Type of the audit trail → type that is told. */
export const published: Readonly<Record<string, Published>> = {
  'account.created': { type: 'account.created' },
  'registration.verified': { type: 'account.verified' },
  'account.profile_changed': { type: 'account.updated' },
  'account.contact_changed': { type: 'account.updated' },
  'account.address_changed': { type: 'account.updated' },
  'account.address_restored': { type: 'account.updated' },
  'password.set': { type: 'account.password_changed' },
  'password.changed': { type: 'account.password_changed' },
  'password.reset': { type: 'account.password_changed' },
  'factor.added': { type: 'account.factor_added' },
  'passkey.added': { type: 'account.factor_added' },
  'factor.removed': { type: 'account.factor_removed' },
  'passkey.removed': { type: 'account.factor_removed' },
  'factors.reset': { type: 'account.factor_removed' },
  'account.disabled': { type: 'account.disabled' },
  'account.enabled': { type: 'account.enabled' },
  'account.deletion_asked': { type: 'account.deletion_asked' },
  'account.deletion_cancelled': { type: 'account.deletion_cancelled' },
  'account.erased': { type: 'account.erased' },
  'sign_in.succeeded': { type: 'session.created' },
  'session.ended': { type: 'session.ended' },
  'sessions.revoked': { type: 'session.ended' },
  'consent.given': { type: 'grant.created' },
  'consent.withdrawn': { type: 'grant.revoked' },
  'grant.revoked': { type: 'grant.revoked' },
  'code.replayed': { type: 'grant.revoked' },
  'refresh_token.replayed': { type: 'grant.revoked' },
  'account.role_added': { type: 'role.added', with: role },
  'account.role_removed': { type: 'role.removed', with: role },
  'account.group_added': { type: 'group.added', with: ['group'] },
  'account.group_removed': { type: 'group.removed', with: ['group'] },
}

/** Every type that can be asked for, without what asks for several. */
export const publishedTypes: readonly string[] = [
  ...new Set(Object.values(published).map(({ type }) => type)),
].sort()

/** What is sent, as it is signed; undefined for what stays here. `at` is when it happened. */
export function messageOf(event: AuditEvent, at: Date): { type: string; body: string } | undefined {
  const known = Object.hasOwn(published, event.type) ? published[event.type] : undefined
  if (!known) return undefined
  const { accountId, clientId, detail = {} } = event
  const told = (known.with ?? []).map((name) => [name, detail[name]])
  const data = {
    ...(accountId === undefined ? {} : { account_id: accountId }),
    ...(clientId === undefined ? {} : { client_id: clientId }),
    ...Object.fromEntries(told.filter(([, value]) => typeof value === 'string')),
  }
  const { type } = known
  return { type, body: JSON.stringify({ type, timestamp: at.toISOString(), data }) }
}

/** So many wait for one receiver at most; what comes on top is left out and said at the receiver. */
export const mostWaiting = 5000

/**
 * Puts the message on its way to everybody who wants it, as a part of the statement that keeps the event (`kept`). Without a
 * receiver it costs a look at an empty table. No act waits for another by it, or fails: its jobs have no key that two
 * transactions could hold against each other, and a receiver that is being removed is passed over.
 */
export function sendAlong(
  kept: RawBuilder<unknown>,
  { type, body }: { type: string; body: string },
): RawBuilder<unknown> {
  const kind = `${type.split('.')[0]}.*`
  return sql`
    with kept as (${kept}),
    wanting as (
      select id, (select count(*) from (select from webhook_deliveries d
        where d.webhook_id = w.id and d.state = 'pending' limit ${mostWaiting}) waiting) as waiting
      from webhooks w where disabled_at is null and events && ${[type, kind, '*']}::text[]
      for key share),
    sent as (
      insert into webhook_deliveries (webhook_id, type, body)
      select id, ${type}, ${body} from wanting where waiting < ${mostWaiting} returning webhook_id),
    left_out as (
      update webhooks set overflowed_at = now()
      where id in (select id from wanting where waiting >= ${mostWaiting})
        and (overflowed_at is null or overflowed_at < now() - interval '1 minute'))
    select graphile_worker.add_job('webhook.deliver', json_build_object('webhookId', webhook_id),
      queue_name => 'webhook:' || webhook_id)
    from sent`
}
