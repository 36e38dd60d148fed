/**
 * The engine's payloads and our rows, translated both ways. A payload is opaque to us but for the members
 * that have a column; the rest travels in `rest`. Ids become SHA-256 on the way in and are put back on the
 * way out from what the caller presented, so the value itself is never stored.
 */
import { sha256 } from '../crypto.ts'
import type { ArtefactName, Row } from '../sessions/artefacts.ts'

export type Payload = Record<string, unknown>

type Kind = 'plain' | 'time' | 'flag' | 'consumed'
type Field = readonly [member: string, column: string, kind?: Kind]

const times: Field[] = [
  ['iat', 'created_at', 'time'],
  ['exp', 'expires_at', 'time'],
]
const token: Field[] = [
  ['grantId', 'grant_id'],
  ['clientId', 'client_id'],
  ['accountId', 'account_id'],
  ['sessionUid', 'session_uid'],
  ['expiresWithSession', 'expires_with_session', 'flag'],
  ['scope', 'scope'],
  ...times,
]
const consumed: Field = ['consumed', 'consumed_at', 'consumed']

/** Which artefact keeps which model, and which of its members have columns. */
const models = {
  AuthorizationCode: {
    artefact: 'authorization_codes',
    fields: [
      ...token,
      ['redirectUri', 'redirect_uri'],
      ['codeChallenge', 'code_challenge'],
      consumed,
    ],
  },
  RefreshToken: {
    artefact: 'refresh_tokens',
    fields: [
      ...token,
      ['jkt', 'jkt'],
      ['rotations', 'rotations'],
      ['iiat', 'first_issued_at', 'time'],
      consumed,
    ],
  },
  AccessToken: { artefact: 'access_tokens', fields: [...token, ['jkt', 'jkt']] },
  ClientCredentials: {
    artefact: 'client_credentials',
    fields: [['clientId', 'client_id'], ['jkt', 'jkt'], ['scope', 'scope'], ...times],
  },
  DeviceCode: { artefact: 'device_codes', fields: [...token, consumed] },
  BackchannelAuthenticationRequest: {
    artefact: 'backchannel_authentication_requests',
    fields: [...token, consumed],
  },
  PushedAuthorizationRequest: {
    artefact: 'pushed_authorization_requests',
    fields: [...times, consumed],
  },
  Session: {
    artefact: 'sessions',
    fields: [
      ['uid', 'uid'],
      ['accountId', 'account_id'],
      ['loginTs', 'signed_in_at', 'time'],
      ['acr', 'acr'],
      ['amr', 'amr'],
      ['transient', 'transient', 'flag'],
      ['authorizations', 'authorizations'],
      ...times,
    ],
  },
  Interaction: {
    artefact: 'interactions',
    fields: [['grantId', 'grant_id'], ['result', 'result'], ...times],
  },
  Grant: {
    artefact: 'grants',
    fields: [
      ['accountId', 'account_id'],
      ['clientId', 'client_id'],
      ['resources', 'resources'],
      ...times,
    ],
  },
} as const satisfies Record<string, { artefact: ArtefactName; fields: readonly Field[] }>

export type ModelName = keyof typeof models

export function isStoredModel(name: string): name is ModelName {
  return Object.hasOwn(models, name)
}

export function artefactOf(model: ModelName): ArtefactName {
  return models[model].artefact
}

/** Members that do not travel in `rest`: what has a column, and what the table and the key say already. */
const ownPlace = Object.fromEntries(
  Object.entries(models).map(([model, { fields }]) => [
    model,
    new Set<string>(['jti', 'kind', ...fields.map(([member]) => member)]),
  ]),
) as Record<ModelName, Set<string>>

/** What `adapter.upsert` gets, as a row; `id` is the value that travels (or a grant's or session's own key). */
export function toRow(model: ModelName, id: string, payload: Payload): Row {
  const { fields }: { fields: readonly Field[] } = models[model]
  const row: Row = {}
  for (const [member, column, kind = 'plain'] of fields) {
    // Whether something is spent is decided by the guarded update alone; an upsert never clears it.
    if (kind !== 'consumed') row[column] = toColumn(kind, payload[member])
  }
  const rest: Payload = {}
  for (const [member, value] of Object.entries(payload)) {
    if (!ownPlace[model].has(member)) rest[member] = value
  }
  return finishRow(model, id, row, rest)
}

function finishRow(model: ModelName, id: string, row: Row, rest: Payload): Row {
  if (model === 'Grant') {
    const { openid, ...others } = rest as { openid?: { scope?: string; claims?: string[] } }
    const scopes = words(openid?.scope)
    return {
      ...row,
      id,
      scopes,
      claims: openid?.claims ?? [],
      resources: row.resources ?? {},
      offline: scopes.includes('offline_access'),
      rest: others,
    }
  }
  if (model === 'Session') return { ...row, authorizations: row.authorizations ?? {}, rest }
  if (model === 'Interaction')
    return { ...row, ...interactionColumns(id, rest), id_hash: sha256(id), rest }
  return { ...row, id_hash: sha256(id), rest }
}

type InteractionRest = {
  returnTo?: string
  params?: { client_id?: string }
  prompt?: { name?: string }
  session?: { uid?: string; accountId?: string; cookie?: string }
}

/** Copies out what our pages and joins search by, and drops the values of cookies: the session's and its own. */
function interactionColumns(id: string, rest: InteractionRest & Payload): Row {
  if (rest.returnTo?.endsWith(id)) rest.returnTo = rest.returnTo.slice(0, -id.length)
  if (rest.session) {
    const { cookie: _, ...session } = rest.session
    rest.session = session
  }
  return {
    client_id: rest.params?.client_id ?? null,
    prompt: rest.prompt?.name ?? 'login',
    session_uid: rest.session?.uid ?? null,
    session_account_id: rest.session?.accountId ?? null,
  }
}

/** What `adapter.find` answers, or what our own code reads; `id` as it was presented, where it is known. */
export function toPayload(model: ModelName, row: Row, id?: string): Payload {
  const { fields }: { fields: readonly Field[] } = models[model]
  const payload: Payload = { ...(row.rest as Payload), kind: model }
  if (id !== undefined) payload.jti = id
  for (const [member, column, kind = 'plain'] of fields) {
    const value = fromColumn(kind, row[column])
    if (value !== undefined) payload[member] = value
  }
  if (typeof payload.returnTo === 'string' && id !== undefined) payload.returnTo += id
  if (model === 'Grant') {
    payload.jti = row.id
    const scope = (row.scopes as string[]).join(' ')
    const claims = row.claims as string[]
    payload.openid = {
      ...(scope === '' ? {} : { scope }),
      ...(claims.length === 0 ? {} : { claims }),
    }
  }
  return payload
}

function toColumn(kind: Kind, value: unknown): unknown {
  switch (kind) {
    case 'time':
      return typeof value === 'number' ? new Date(value * 1000) : null
    case 'flag':
      return value === true
    default:
      return value ?? null
  }
}

function fromColumn(kind: Kind, value: unknown): unknown {
  if (value === null || value === undefined) return undefined
  switch (kind) {
    case 'time':
    case 'consumed':
      return Math.floor((value as Date).getTime() / 1000)
    case 'flag':
      return value === true ? true : undefined
    default:
      return value
  }
}

function words(text: string | undefined): string[] {
  return text ? [...new Set(text.split(' '))].filter((word) => word !== '') : []
}
