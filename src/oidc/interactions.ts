/**
 * The way of one authorization request through our pages. A flow belongs to the browser that began it: its id stands in
 * the path, the same value must come in the cookie bound to that path, and the browser must be the one that is named in
 * the row, since an id that stands in addresses is no secret. What a page has proven is written here by one guarded statement, and the engine reads it when the browser comes back.
 */
import type { Factor } from '../credentials/step-up.ts'
import { sha256 } from '../crypto.ts'
import type { Row } from '../sessions/artefacts.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import { unitedNames, unitedResources } from '../sessions/united.ts'
import type { Locale } from '../views/page-data.ts'
import type { Wanted } from './consent.ts'

export type Parameters = Record<string, string | undefined> & { resource?: string | string[] }

/** What this flow has done so far on our side; whose account it is follows from the registration alone. */
export type Progress = {
  registrationId?: string
  /** The proof of a new password that this flow has asked for. */
  resetId?: string
  /** The provider that knows somebody here whom we do not (federation/proofs.ts). */
  upstream?: string
  locale?: Locale
  /** What the sign-in page has to say to whoever is sent there. */
  word?: 'verified' | 'unfinished' | 'password-changed'
  /** The browser that began the flow (unit-of-work.ts). */
  browser?: string
  /** Who has proven what in this flow and is not let in yet. */
  proven?: Proven
  /** Wrong codes since then. */
  guesses?: number
}

/** `amr` as a session would have it, `at` in milliseconds since 1970; `next` is what is asked for now. */
export type Proven = {
  accountId: string
  amr: string[]
  at: number
  /** When the password was set that was proven (ISO 8601); null for none. */
  since: string | null
  next: Factor | 'enrol'
  /** The device said with the password that it can make passkeys. */
  able?: true
  /** The session elsewhere that it comes from (federation/upstream-sessions.ts). */
  upstream?: string
}

export type Flow = {
  id: string
  clientId: string
  parameters: Parameters
  prompt: { name: string; reasons: string[]; details: Record<string, unknown> }
  /** The session the flow began in, or that an earlier step of it signed in. */
  sessionUid: string | undefined
  /** What was proven in that session, and when, in seconds since 1970. */
  session: { amr: string[]; signedInAt: number } | undefined
  /** The signed-in person, where there is one. */
  account: Row | undefined
  consent: Row | undefined
  /** Whom this flow has let in, and when, in seconds since 1970; the engine has not heard of it yet. */
  login: { accountId: string; at: number } | undefined
  progress: Progress
  /** Results of earlier steps of the same request, in the engine's words. */
  earlier: Record<string, unknown>
  /** Where the browser goes when a step is done. */
  returnTo: string
}

/** Why a page of a flow cannot be shown, with what it takes to begin the same request again. */
export type LostFlow = {
  reason: 'expired' | 'lost-cookie' | 'already-done'
  restart?: { clientId: string; href: string; device?: boolean; redirectUri?: string | undefined }
}

export type OpenedFlow = { ok: true; flow: Flow } | ({ ok: false } & LostFlow)

/** How long a flow that is over can be begun again from its pages. */
const restartHours = 24

/** `cookie` is what came in the flow's cookie, `sessionId` in the session's. One statement. */
export async function openFlow(
  db: Queryable,
  presented: {
    flowId: string
    cookie: string | undefined
    sessionId: string | undefined
    browsers: string[]
  },
): Promise<OpenedFlow> {
  const { flowId, cookie, sessionId, browsers } = presented
  const found = await read(db, 'request', [
    sessionId ? sha256(sessionId) : null,
    null,
    sha256(flowId),
  ])
  const row = found.interaction
  if (!row) return { ok: false, reason: 'expired' }
  const restart = restartOf(row)
  const lost = (reason: LostFlow['reason']): OpenedFlow => ({
    ok: false,
    reason,
    ...(restart ? { restart } : {}),
  })
  if (row.consumed_at !== null) return lost('already-done')
  if ((row.expires_at as Date).getTime() <= Date.now()) return lost('expired')
  const { browser } = row.progress as Progress
  if (cookie !== flowId || (browser !== undefined && !browsers.includes(browser))) {
    return lost('lost-cookie')
  }
  const session = found.session
  // The browser changed hands since the flow began: what is on the page is another person's.
  if (row.session_account_id !== null && row.session_account_id !== session?.account_id) {
    return lost('expired')
  }
  // Somebody else has signed in on this flow meanwhile: they are asked on a page of their own.
  if (row.prompt === 'consent' && found.account?.id !== session?.account_id) return lost('expired')
  return { ok: true, flow: toFlow(flowId, row, found.account, found.consent, session) }
}

type Rest = {
  params: Parameters
  prompt: { name: string; reasons?: string[]; details?: Record<string, unknown> }
  lastSubmission?: Record<string, unknown>
  /** Sealed. */
  deviceCode?: string
  /** Without the flow's id at its end. */
  returnTo: string
}

function toFlow(
  id: string,
  row: Row,
  account: Row | undefined,
  consent: Row | undefined,
  session: Row | undefined,
): Flow {
  const rest = row.rest as Rest
  return {
    id,
    clientId: row.client_id as string,
    parameters: rest.params,
    prompt: { reasons: [], details: {}, ...rest.prompt },
    sessionUid: session?.uid as string | undefined,
    session: session?.account_id ? provenIn(session) : undefined,
    account,
    consent,
    login: loginIn(row),
    progress: row.progress as Progress,
    earlier: rest.lastSubmission ?? {},
    returnTo: rest.returnTo + id,
  }
}

function loginIn({ result }: Row): Flow['login'] {
  const { login } = (result ?? {}) as { login?: { accountId: string; ts: number } }
  return login && { accountId: login.accountId, at: login.ts }
}

function provenIn({ amr, signed_in_at: at }: Row): NonNullable<Flow['session']> {
  const seconds = Math.floor(((at as Date | null)?.getTime() ?? 0) / 1000)
  return { amr: (amr as string[] | null) ?? [], signedInAt: seconds }
}

/** The same request from its beginning. Its redirect URI was checked before the flow began. */
function restartOf(row: Row): LostFlow['restart'] {
  const age = Date.now() - (row.created_at as Date).getTime()
  if (age > restartHours * 3_600_000 || row.client_id === null) return undefined
  // A device's code stands on the device, and only its hash here.
  if ((row.rest as Rest).deviceCode !== undefined) {
    return { clientId: row.client_id as string, href: '/device', device: true }
  }
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries((row.rest as Rest).params)) {
    for (const item of [value].flat()) {
      if (typeof item === 'string') query.append(name, item)
    }
  }
  const redirectUri = query.get('redirect_uri') ?? undefined
  return { clientId: row.client_id as string, href: `/oauth2/authorize?${query}`, redirectUri }
}

/** What begins the request of a flow again; undefined when it is unknown or too old. */
export async function findRestart(db: Queryable, flowId: string): Promise<LostFlow['restart']> {
  const { interaction } = await read(db, 'request', [null, null, sha256(flowId)])
  return interaction && restartOf(interaction)
}

/**
 * The person has proven who they are. Whoever was signed in before as somebody else is signed out by the same
 * statement, so that no token of one person ever comes from the other's session. False when the flow is over, when the
 * password was `proven` and has been changed since (RC-20), or when the flow has not proven `after` any more, on which
 * this builds. `at`: when they signed in, in seconds since 1970, where it was not now.
 */
export function finishSignIn(
  db: Queryable,
  flow: Flow,
  login: { accountId: string; acr: string; amr: string[]; upstream?: string | undefined },
  more: {
    passwordChangedAt?: Date | null | undefined
    after?: Proven | undefined
    at?: number | undefined
  } = {},
): Promise<boolean> {
  const { at, passwordChangedAt: since } = more
  const ts = at ?? Math.floor(Date.now() / 1000)
  // Whoever gives a password has said which account they mean.
  const result = { ...flow.earlier, select_account: {}, login: { ...login, ts } }
  const other = flow.account !== undefined && flow.account.id !== login.accountId
  return finish(db, flow, result, {
    ended: other ? flow.sessionUid : undefined,
    after: more.after,
    ...(since === undefined ? {} : { password: { accountId: login.accountId, since } }),
  })
}

/** The person goes on with the account that is signed in. */
export function finishSelection(db: Queryable, flow: Flow): Promise<boolean> {
  return finish(db, flow, { ...flow.earlier, select_account: {} })
}

/** The person refused, in OAuth's words; the app is told. */
export function finishWithError(db: Queryable, flow: Flow, error: string): Promise<boolean> {
  return finish(db, flow, {
    error,
    error_description: 'the person chose not to continue',
  })
}

/** Remembers what the person allowed, beside what they had allowed before. */
export async function finishConsent(db: Queryable, flow: Flow, allowed: Wanted): Promise<boolean> {
  const result = { ...flow.earlier, consent: {} }
  const { rows } = await db.query<{ ok: boolean }>({
    name: 'finish_consent',
    text: `with done as (${finishing()}),
      kept as (
        insert into consents (account_id, client_id, scopes, claims, resources)
        select $5::uuid, $6::text, $7::text[], $8::text[], $9::jsonb where exists (select from done)
        on conflict (account_id, client_id) do update set
          scopes = ${unitedNames('consents.scopes', 'excluded.scopes')},
          claims = ${unitedNames('consents.claims', 'excluded.claims')},
          resources = ${unitedResources('consents.resources', 'excluded.resources')},
          updated_at = now()
        returning 1)
      select exists (select from done) as ok`,
    values: [
      sha256(flow.id),
      JSON.stringify(result),
      null,
      flow.sessionUid ?? null,
      flow.account?.id,
      flow.clientId,
      allowed.scopes,
      allowed.claims,
      JSON.stringify(resourceScopes(allowed)),
    ],
  })
  return rows[0]?.ok === true
}

function resourceScopes({ resources }: Wanted): Record<string, string> {
  return Object.fromEntries(
    Object.entries(resources).map(([identifier, scopes]) => [identifier, scopes.join(' ')]),
  )
}

type Kept = Omit<Progress, 'proven' | 'guesses' | 'browser'>

/**
 * Keeps these beside what the flow has kept, and forgets what is undefined. What was proven is moved by the statements
 * below alone.
 */
export async function saveProgress(
  db: Queryable,
  flow: Flow,
  more: { [Name in keyof Kept]: Kept[Name] | undefined },
): Promise<void> {
  const gone = Object.entries(more).filter(([, value]) => value === undefined)
  await db.query({
    name: 'save_progress',
    text: `update interactions set progress = (progress || $2::jsonb) - $3::text[]
      where id_hash = $1 and consumed_at is null and expires_at > now()`,
    values: [sha256(flow.id), JSON.stringify(more), gone.map(([name]) => name)],
  })
}

/** From here on this person has proven this much in this flow; false when it is over, or went on otherwise. */
export async function saveProven(
  db: Queryable,
  flow: Flow,
  proven: Proven,
  after?: Proven,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'save_proven',
    text: `update interactions
      set progress = (progress - 'guesses') || jsonb_build_object('proven', $2::jsonb)
      where id_hash = $1 and consumed_at is null and expires_at > now()
        and ($3::jsonb is null or progress -> 'proven' = $3)`,
    values: [sha256(flow.id), JSON.stringify(proven), after ? JSON.stringify(after) : null],
  })
  return rowCount === 1
}

/** How many wrong codes end what was proven before them (security MF-03). */
export const guessesPerProof = 5

/** Counts one guess before it is looked at, at most as many as there are, however many come at once. */
export async function countGuess(db: Queryable, flow: Flow): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'count_guess',
    text: `update interactions set progress = jsonb_set(progress, '{guesses}',
        to_jsonb(coalesce((progress ->> 'guesses')::int, 0) + 1))
      where id_hash = $1 and consumed_at is null and expires_at > now()
        and coalesce((progress ->> 'guesses')::int, 0) < ${guessesPerProof}
        and progress -> 'proven' is not distinct from $2::jsonb`,
    values: [sha256(flow.id), flow.progress.proven ? JSON.stringify(flow.progress.proven) : null],
  })
  return rowCount === 1
}

/**
 * $1 flow, $2 result, $3 the session that ends because somebody else signed in, $4 the session that the browser
 * holds: of two tabs that signed the same person in at once, the later one's is everybody's.
 */
const finishing = (when = '') => `update interactions set result = $2::jsonb,
    login_account_id = ($2::jsonb -> 'login' ->> 'accountId')::uuid,
    session_account_id = case when $3::text is null then session_account_id end,
    session_uid = case when $3::text is null and session_uid is not null
      then coalesce($4::text, session_uid) end,
    rest = case when $3::text is not null then rest - 'session'
      when rest ? 'session' and $4::text is not null
        then jsonb_set(rest, '{session,uid}', to_jsonb($4::text))
      else rest end
  where id_hash = $1 and consumed_at is null and expires_at > now() ${when} returning 1`

/** $5 what the flow has proven, where this builds on it. */
const sameProof = `and ($5::jsonb is null or progress -> 'proven' = $5)`

/** $6 account, $7 when its password was set, as it stood when it was checked. */
const samePassword = `and ($6::uuid is null or exists (select from accounts where id = $6
    and date_trunc('milliseconds', password_changed_at) is not distinct from $7::timestamptz))`

async function finish(
  db: Queryable,
  flow: Flow,
  result: Record<string, unknown>,
  more: {
    ended?: string | undefined
    after?: Proven | undefined
    password?: { accountId: string; since: Date | null }
  } = {},
): Promise<boolean> {
  const { ended, after, password } = more
  const { rows } = await db.query<{ ok: boolean }>({
    name: 'finish_step',
    text: `with done as (${finishing(`${sameProof} ${samePassword}`)}),
      ended as (delete from sessions where uid = $3 and exists (select from done) returning 1),
      ended_grants as (delete from grants
        where session_uid = $3 and not offline and exists (select from done) returning 1)
      select exists (select from done) as ok`,
    values: [
      sha256(flow.id),
      JSON.stringify(result),
      ended ?? null,
      flow.sessionUid ?? null,
      after ? JSON.stringify(after) : null,
      password?.accountId ?? null,
      password?.since ?? null,
    ],
  })
  return rows[0]?.ok === true
}
