/** What has happened to an account, from the audit trail: the events that a person understands, newest first. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { describeDevice } from '../sessions/devices.ts'

/** Event → the word for it: the phrase `account.event.<word>`. Others are for operators. */
export const eventWords = {
  'account.created': 'created',
  'registration.verified': 'created',
  'sign_in.succeeded': 'signed-in',
  'sign_in.refused': 'refused',
  'session.ended': 'signed-out',
  'sessions.revoked': 'device-ended',
  'password.changed': 'password',
  'password.set': 'password-set',
  'password.reset': 'reset',
  'account.recovery_linked': 'recovery-link',
  'mail_proof.refused': 'code-refused',
  'account.address_changed': 'address',
  'account.address_restored': 'address-restored',
  'account.profile_changed': 'profile',
  'account.contact_changed': 'profile',
  'account.deletion_asked': 'deletion-asked',
  'account.deletion_cancelled': 'deletion-cancelled',
  'account.disabled': 'disabled',
  'account.enabled': 'enabled',
  'account.role_added': 'role',
  'account.role_removed': 'role-removed',
  'identity.linked': 'provider-linked',
  'identity.unlinked': 'provider-unlinked',
  'passkey.added': 'passkey-added',
  'passkey.removed': 'passkey-removed',
  'factor.added': 'factor-added',
  'factor.removed': 'factor-removed',
  'factors.reset': 'factors-reset',
  'recovery_codes.made': 'codes-made',
  'recovery_code.used': 'code-used',
  'second_factor.refused': 'second-refused',
  'consent.given': 'consent',
  'consent.withdrawn': 'withdrawn',
  'device.connected': 'connected',
} as const satisfies Record<string, string>

export type Activity = {
  id: string
  at: Date
  word: string
  app: string | null
  address: string | null
  device: string
}

const perPage = 25

/** `before` is the id of the last event of the page before. `more` tells whether there is another page. */
export async function listActivity(
  db: Db,
  accountId: string,
  before?: string,
): Promise<{ events: Activity[]; more: boolean }> {
  const types = Object.keys(eventWords)
  const { rows } = await sql<
    Omit<Activity, 'word' | 'device'> & { type: string; userAgent: string | null }
  >`
    select e.id, e.at, e.type, c.name as app, host(e.address) as address, e.detail ->> 'userAgent' as user_agent
    from audit_events e left join clients c on c.id = e.client_id
    where e.account_id = ${accountId} and e.type in (${sql.join(types)})
      and (${before ?? null}::uuid is null or e.id < ${before ?? null}::uuid)
    order by e.id desc limit ${perPage + 1}`.execute(db)
  const events = rows.slice(0, perPage).map(({ type, userAgent, ...event }) => {
    const { browser, system } = describeDevice(userAgent)
    return {
      ...event,
      word: eventWords[type as keyof typeof eventWords],
      device: [browser, system].filter(Boolean).join(', '),
    }
  })
  return { events, more: rows.length > perPage }
}
