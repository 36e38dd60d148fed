/**
 * What one request needs, in one statement: the artefact that was presented and everything the engine
 * will ask for next, joined by primary key. Named, so that PostgreSQL parses each once per connection.
 */
import type { Queryable } from '../database/reader.ts'
import { type ArtefactName, artefacts, type Row } from './artefacts.ts'
import { type JoinedRows, joinRows, type Part } from './joined-rows.ts'

export type { Queryable } from '../database/reader.ts'

/** How long the id before a rotation still finds its session: tabs that were under way lose nothing. */
export const previousIdSeconds = 60

/** How long a refresh may be repeated and gets the same successor, for the client whose answer was lost. */
export const refreshRetrySeconds = 30

/** `client` is SQL for the client's id, whose settings of this person come along. */
const accountAt = (client: string): Part => ({
  key: 'id',
  columns: {
    id: 'uuid',
    username: 'text',
    status: 'text',
    email: 'text',
    email_canonical: 'text',
    email_verified_at: 'timestamptz',
    name: 'text',
    given_name: 'text',
    family_name: 'text',
    picture_url: 'text',
    locale: 'text',
    zoneinfo: 'text',
    address: 'jsonb',
    phone_number: 'text',
    phone_number_verified_at: 'timestamptz',
    updated_at: 'timestamptz',
    roles: 'text[]',
    groups: 'text[]',
    service_settings: 'json',
  },
  computed: {
    // Everybody's is not among them, and those of all apps are: whom they are shown to is claims.ts's business.
    roles: 'array(select h.role from held_roles h where h.account_id = a.id order by h.role)',
    groups:
      'array(select m.group_name from group_members m where m.account_id = a.id order by m.group_name)',
    service_settings: `(select ss.settings from service_settings ss
      where ss.account_id = a.id and ss.client_id = ${client})`,
  },
})

const consent: Part = {
  key: 'client_id',
  columns: {
    account_id: 'uuid',
    client_id: 'text',
    scopes: 'text[]',
    claims: 'text[]',
    resources: 'jsonb',
  },
}

const { sessions: session, grants: grant, interactions: interaction } = artefacts

/** A grant that has ended is as good as none: what hangs on it is dead, and what was exchanged for that. */
const liveGrant = `g.expires_at > now() and (g.parents = '{}' or not exists (
    select from unnest(g.parents) as parent
    where not exists (select from grants p where p.id = parent and p.expires_at > now())))`
const liveSession = 's.expires_at > now()'

type Alias = 's' | 'i' | 'g' | 'a' | 'c' | 't' | 'r' | 'k'
type Statement = { rows: JoinedRows<Alias>; text: string }

/** `from` and what follows; `more` are columns beside the joined rows, `first` is done before. */
function statement(
  parts: Partial<Record<Alias, Part>>,
  from: string,
  more = '',
  first = '',
): Statement {
  const rows = joinRows(parts as Record<Alias, Part>)
  return { rows, text: `${first}select ${rows.select} as rows${more} ${from}` }
}

/** What nobody has decided on yet, and may still be decided on. */
export const undecided =
  "grant_id is null and not (rest ? 'error') and consumed_at is null and expires_at > now()"

/**
 * $1 id hash, $2 the client that asks. While nothing is decided the question is counted: who asks before the interval
 * is over (RFC 8628 §3.5, CIBA Core §11) is told to slow down, and has to wait longer from then on. A second is given
 * for the way.
 */
function polled(name: 'device_codes' | 'backchannel_authentication_requests'): Statement {
  const early = 'coalesce(polled_at > now() - make_interval(secs => interval_seconds - 1), false)'
  return statement(
    { t: artefacts[name], g: grant, a: accountAt('t.client_id'), s: session },
    `from ${name} t
    left join grants g on g.id = t.grant_id and ${liveGrant}
    left join accounts a on a.id = t.account_id
    left join sessions s on s.uid = t.session_uid and ${liveSession}
    where t.id_hash = $1`,
    ', (select hurried from asked)',
    `with asked as (
      update ${name} set polled_at = now(), hurried = ${early},
        interval_seconds = least(interval_seconds + case when ${early} then 5 else 0 end, 60)
      where id_hash = $1 and client_id = $2 and ${undecided}
      returning hurried)
    `,
  )
}

function byId(name: ArtefactName): Statement {
  return statement({ t: artefacts[name] }, `from ${name} t where t.id_hash = $1`)
}

const statements = {
  /** $1 session id hash, $2 client id, $3 interaction id hash; any may be null. */
  request: statement(
    {
      s: session,
      i: interaction,
      a: accountAt('coalesce(i.client_id, $2)'),
      c: consent,
      g: grant,
    },
    `from (values (1)) as one
    left join sessions s on ${liveSession} and (s.id_hash = $1 or (s.previous_id_hash = $1
      and s.rotated_at > now() - interval '${previousIdSeconds} seconds'))
    left join interactions i on i.id_hash = $3
    left join accounts a on a.id = coalesce(i.login_account_id, s.account_id)
    left join consents c on c.account_id = a.id and c.client_id = coalesce(i.client_id, $2)
    left join grants g on ${liveGrant}
      and g.id = s.authorizations -> coalesce(i.client_id, $2) ->> 'grantId'`,
  ),

  code: statement(
    { t: artefacts.authorization_codes, g: grant, a: accountAt('t.client_id'), s: session },
    `from authorization_codes t
    left join grants g on g.id = t.grant_id and ${liveGrant}
    left join accounts a on a.id = t.account_id
    left join sessions s on s.uid = t.session_uid and ${liveSession}
    where t.id_hash = $1`,
  ),

  refresh: statement(
    { t: artefacts.refresh_tokens, g: grant, a: accountAt('t.client_id'), s: session },
    `from refresh_tokens t
    left join grants g on g.id = t.grant_id and ${liveGrant}
    left join accounts a on a.id = t.account_id
    left join sessions s on s.uid = t.session_uid and ${liveSession}
    where t.id_hash = $1`,
    `, t.consumed_at > now() - interval '${refreshRetrySeconds} seconds' and exists (
        select from refresh_tokens successor
        where successor.id_hash = t.successor_hash and successor.consumed_at is null
      ) as may_retry`,
  ),

  /** Whatever kind of opaque token it is: the look-ups of an introspection become one. */
  token: statement(
    {
      t: artefacts.access_tokens,
      r: artefacts.refresh_tokens,
      k: artefacts.client_credentials,
      g: grant,
      a: accountAt('coalesce(t.client_id, r.client_id)'),
      s: session,
    },
    `from (values (1)) as one
    left join access_tokens t on t.id_hash = $1
    left join refresh_tokens r on r.id_hash = $1
    left join client_credentials k on k.id_hash = $1
    left join grants g on g.id = coalesce(t.grant_id, r.grant_id) and ${liveGrant}
    left join accounts a on a.id = coalesce(t.account_id, r.account_id)
    left join sessions s on s.uid = coalesce(t.session_uid, r.session_uid) and ${liveSession}`,
  ),

  /** $1 grant id: what a structured token leans on. */
  grant: statement(
    { g: grant, a: accountAt('g.client_id') },
    `from grants g join accounts a on a.id = g.account_id where g.id = $1 and ${liveGrant}`,
  ),

  /** $1 account id, $2 the client that asks, or null. */
  account: statement({ a: accountAt('$2::text') }, 'from accounts a where a.id = $1'),

  session: statement(
    { s: session, a: accountAt('null') },
    `from sessions s left join accounts a on a.id = s.account_id where s.uid = $1 and ${liveSession}`,
  ),

  /** $1 user code hash. */
  deviceCode: statement(
    { t: artefacts.device_codes },
    'from device_codes t where t.user_code_hash = $1',
  ),
  by_id_device_codes: byId('device_codes'),
  polled_device_codes: polled('device_codes'),
  polled_backchannel_authentication_requests: polled('backchannel_authentication_requests'),
  by_id_pushed_authorization_requests: byId('pushed_authorization_requests'),
} satisfies Record<string, Statement>

export type StatementName = keyof typeof statements

/** The rows that one statement found, by what they are; absent where nothing matched. */
export type Found = {
  session?: Row
  interaction?: Row
  account?: Row
  consent?: Row
  grant?: Row
  /** The artefact asked for, where the statement is about one. */
  token?: Row
  refreshToken?: Row
  clientCredentials?: Row
  mayRetry?: boolean
  /** Asked again before its time. */
  hurried?: boolean
}

/** Runs one of the statements above; `values` as its comment says. */
export async function read(
  db: Queryable,
  name: StatementName,
  values: (Buffer | string | null)[],
): Promise<Found> {
  const { rows: joined, text } = statements[name]
  const { rows } = await db.query<Packed>({ name: `read_${name}`, text, values })
  const row = rows[0]
  if (!row) return {}
  const { a, s, i, g, c, t, r, k } = joined.unpack(row.rows)
  const active = a?.status === 'active'
  const found: Found = {}
  // Whoever may not be here has no session, no way to finish signing in and no grant.
  if (s && (active || s.account_id !== a?.id)) found.session = s
  if (i && (active || i.login_account_id === null)) found.interaction = i
  if (a && active) found.account = a
  if (g && active) found.grant = g
  if (c) found.consent = c
  if (t) found.token = t
  if (r) found.refreshToken = r
  if (k) found.clientCredentials = k
  if (row.may_retry === true) found.mayRetry = true
  if (row.hurried === true) found.hurried = true
  return found
}

type Packed = {
  rows: Record<Alias, unknown[] | null>
  may_retry?: boolean | null
  hurried?: boolean | null
}
