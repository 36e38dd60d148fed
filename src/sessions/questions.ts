/**
 * Questions that apps ask people by the backchannel (CIBA), as the person sees and answers them. One guarded statement
 * decides: of two answers one holds, and whoever is not asked cannot answer.
 */
import { sql } from 'kysely'
import { type Origin, record } from '../audit/audit.ts'
import { randomToken } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { enqueue } from '../jobs/tasks.ts'
import { undecided } from './reads.ts'
import { sessionIdFor } from './sessions.ts'
import { unitedNames, unitedResources } from './united.ts'

export type Question = {
  /** The hash of its id, in hexadecimal digits: enough to name it, worthless to the app. */
  id: string
  accountId: string
  clientId: string
  askedAt: Date
  expiresAt: Date
  /** What the app asked, in OAuth's words, its secrets left out. */
  parameters: Record<string, string | undefined> & { resource?: string | string[] }
}

const columns = sql`encode(id_hash, 'hex') as id, account_id, client_id, created_at as asked_at, expires_at,
  coalesce(rest -> 'params', '{}') as parameters`

/** Those that wait for this person, the oldest first. */
export async function listQuestions(db: Db, accountId: string): Promise<Question[]> {
  const { rows } = await sql<Question>`select ${columns} from backchannel_authentication_requests
    where account_id = ${accountId} and ${sql.raw(undecided)} order by created_at, id_hash limit 50`.execute(
    db,
  )
  return rows
}

/** Undefined when it waits no longer. */
export async function findQuestion(db: Db, id: string): Promise<Question | undefined> {
  const { rows } = await sql<Question>`select ${columns} from backchannel_authentication_requests
    where id_hash = ${Buffer.from(id, 'hex')} and ${sql.raw(undecided)}`.execute(db)
  return rows[0]
}

/** Scopes of OpenID, claims by name, and scopes by API. */
type Allowed = {
  scopes: string[]
  claims: string[]
  resources: Record<string, string>
  /** RFC 9396. */
  details: object[]
}

export type Answer = {
  id: string
  accountId: string
  clientId: string
  sessionUid: string
  /** How strongly the person has signed in, as the app is told. */
  acr?: string | undefined
  /** Absent for a no. */
  allowed?: Allowed
  /** The app knows sessions by name, and is told when they end. */
  includesSid: boolean
  /** The app is told that it may come. */
  pings: boolean
  grantSeconds: number
}

/** False when it was answered before, has expired or is another's. */
export function answerQuestion(db: Db, answer: Answer, origin?: Origin): Promise<boolean> {
  const { id, accountId, clientId, allowed, sessionUid } = answer
  return transact(db, async (trx) => {
    const { rows } = await (allowed ? allow(answer, allowed) : deny(answer)).execute(trx)
    if (rows.length === 0) return false
    await record(trx, {
      type: allowed ? 'backchannel.allowed' : 'backchannel.refused',
      actor: { kind: 'person', id: accountId },
      accountId,
      clientId,
      ...(origin ? { origin } : {}),
      detail: { session: sessionUid, ...allowed },
    })
    if (answer.pings) await enqueue(trx, 'backchannel.ping', { question: id }, { maxAttempts: 10 })
    return true
  })
}

const own = ({ id, accountId, clientId }: Answer) =>
  sql`id_hash = ${Buffer.from(id, 'hex')} and account_id = ${accountId} and client_id = ${clientId}
    and ${sql.raw(undecided)}`

function deny(answer: Answer) {
  const refusal = JSON.stringify({
    error: 'access_denied',
    errorDescription: 'the person chose not to continue',
  })
  return sql`update backchannel_authentication_requests set rest = rest || ${refusal}::jsonb
    where ${own(answer)} returning 1`
}

/**
 * The answer's grant is its own, as that of a device. Without `offline_access` it ends with the session in which the
 * person said yes, and the app stands among those that the session's end is told to.
 */
function allow(answer: Answer, { scopes, claims, resources, details }: Allowed) {
  const { accountId, clientId, sessionUid, acr, includesSid, grantSeconds } = answer
  const offline = scopes.includes('offline_access')
  const sid = sessionIdFor(sessionUid, clientId)
  const held = JSON.stringify(resources)
  const rar = details.length > 0 ? JSON.stringify(details) : null
  const told = JSON.stringify({ [clientId]: { sid } })
  return sql`
    with session as (
      select uid, acr, amr, extract(epoch from signed_in_at)::bigint as at from sessions
      where uid = ${sessionUid} and account_id = ${accountId} and expires_at > now()
    ), done as (
      update backchannel_authentication_requests set grant_id = ${randomToken()},
        session_uid = ${sessionUid}, expires_with_session = ${!offline},
        rest = rest || jsonb_strip_nulls(jsonb_build_object('acr', coalesce(${acr ?? null}::text, session.acr), 'amr', session.amr,
          'authTime', session.at, 'sid', ${includesSid ? sid : null}::text, 'rar', ${rar}::jsonb))
      from session where ${own(answer)} returning grant_id
    ), granted as (
      insert into grants (id, account_id, client_id, session_uid, scopes, claims, resources, offline,
        created_at, expires_at)
      select grant_id, ${accountId}, ${clientId}, ${sessionUid}, ${scopes}::text[], ${claims}::text[],
        ${held}::jsonb, ${offline}, now(), now() + make_interval(secs => ${grantSeconds}) from done
    ), remembered as (
      insert into consents (account_id, client_id, scopes, claims, resources)
      select ${accountId}, ${clientId}, ${scopes}::text[], ${claims}::text[], ${held}::jsonb from done
      on conflict (account_id, client_id) do update set
        scopes = ${sql.raw(unitedNames('consents.scopes', 'excluded.scopes'))},
        claims = ${sql.raw(unitedNames('consents.claims', 'excluded.claims'))},
        resources = ${sql.raw(unitedResources('consents.resources', 'excluded.resources'))},
        updated_at = now()
    ), named as (
      update sessions set authorizations = ${told}::jsonb || authorizations
      where uid = ${sessionUid} and exists (select from done)
    )
    select from done`
}
