/**
 * Registered apps as they are read: by an admin, and by the protocol. Who may become one is metadata.ts;
 * making, changing and ending one are create-client.ts, update-client.ts and client-life.ts.
 */
import { sql } from 'kysely'
import { equalBytes, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import type { ClientAccess } from './entry.ts'
import type { ClientMetadata } from './metadata.ts'
import type { ClientPolicy } from './policy.ts'
import { findPreset } from './presets.ts'
import { splitScope } from './scopes.ts'

/** An API that a client may call, with the scopes it may ask for there. */
export type AllowedApi = {
  identifier: string
  scopes: string[]
  tokenLifetimeSeconds: number
  /** Every scope of the API, later ones too, because none was named. */
  wholeApi: boolean
}

export type Client = ClientPolicy & {
  id: string
  name: string
  preset: string
  metadata: ClientMetadata
  firstParty: boolean
  pkceRequired: boolean
  ignoresUnknownResource: boolean
  apis: AllowedApi[]
  /** Grant types that hang on a policy elsewhere (exchanges.ts, issuers.ts) and not on its metadata. */
  policyGrants: string[]
  /** The registration token that it came with by itself; null for an admin's. */
  registeredWith: { id: string; name: string } | null
  /** Whom it lets in; null for everybody. */
  access: ClientAccess | null
  /** The living secrets, newest first; what they are is known to the app alone. */
  secrets: { createdAt: Date; expiresAt: Date | null }[]
  disabledAt: Date | null
  createdAt: Date
  updatedAt: Date
}

/** Everything the protocol asks about a client, in one statement. `metadata.scope` holds standard scopes alone. */
export type StoredClient = Omit<Client, 'secrets' | 'metadata'> & {
  metadata: ClientMetadata & { client_id: string; client_id_issued_at: number }
  /** Judge with `secretMatches`: a row that is kept in memory outlives the overlap of a rotation. */
  secrets: { hash: Buffer; expiresAt: Date | null }[]
  /** What the token endpoint takes from this client: some apps choose between Basic and form by themselves. */
  authMethods: string[]
}

export async function findStoredClient(db: Db, id: string): Promise<StoredClient | undefined> {
  const [row] = await readClients(db, sql`c.id = ${id}`)
  if (!row) return undefined
  const method = row.metadata.token_endpoint_auth_method
  const either =
    method.startsWith('client_secret_') && findPreset(row.preset)?.eitherSecretMethod === true
  return {
    ...row,
    metadata: {
      ...row.metadata,
      client_id: row.id,
      client_id_issued_at: Math.floor(row.createdAt.getTime() / 1000),
    },
    authMethods: either ? ['client_secret_basic', 'client_secret_post'] : [method],
  }
}

/** True for any secret that still lives. Takes the same time whichever it is, and whether there is one (TK-11). */
export function secretMatches(
  client: Pick<StoredClient, 'secrets'>,
  presented: string,
  now: Date = new Date(),
): boolean {
  const hash = sha256(presented)
  return client.secrets
    .map(
      ({ hash: known, expiresAt }) =>
        equalBytes(known, hash) && (expiresAt === null || expiresAt > now),
    )
    .includes(true)
}

/** By id, else an admin's by name however its case is written: those that register themselves may share names. */
export async function findClient(db: Db, nameOrId: string): Promise<Client | undefined> {
  const rows = await readClients(
    db,
    sql`c.id = ${nameOrId} or (lower(c.name) = lower(${nameOrId}) and c.registered_with is null)`,
  )
  const row = rows.find(({ id }) => id === nameOrId) ?? rows[0]
  return row && withoutHashes(row)
}

/** `lock` holds other changes of it back until the transaction ends. Throws `client_not_found`. */
export async function getClient(db: Db, id: string, { lock = false } = {}): Promise<Client> {
  if (lock) await sql`select 1 from clients where id = ${id} for update`.execute(db)
  const [row] = await readClients(db, sql`c.id = ${id}`)
  if (!row) throw new AppError('client_not_found', 404, { detail: `There is no client ${id}.` })
  return withoutHashes(row)
}

/** The one that the registration access token of this hash manages (RFC 7592). */
export async function findManagedClient(
  db: Db,
  id: string,
  managementHash: Buffer,
): Promise<Client | undefined> {
  const condition = sql`c.id = ${id} and c.management_hash = ${managementHash}`
  const [row] = await readClients(db, condition)
  return row && withoutHashes(row)
}

/** By name. */
export async function listClients(db: Db): Promise<Client[]> {
  return (await readClients(db, sql`true`)).map(withoutHashes)
}

/** By name, then id, a page at a time. */
export async function searchClients(
  db: Db,
  filter: {
    preset?: string | undefined
    disabled?: boolean | undefined
    name?: string | undefined
  },
  { after, limit }: { after?: { name: string; id: string } | undefined; limit: number },
): Promise<Client[]> {
  const { preset, disabled, name } = filter
  const condition = sql`(${preset ?? null}::text is null or c.preset = ${preset ?? ''})
    and (${disabled ?? null}::boolean is null or (c.disabled_at is not null) = ${disabled ?? false})
    and (${name ?? null}::text is null or lower(c.name) = lower(${name ?? ''}))
    and (${after?.name ?? null}::text is null or (lower(c.name), c.id) > (lower(${after?.name ?? ''}), ${after?.id ?? ''}))`
  return (await readClients(db, condition, limit)).map(withoutHashes)
}

/** Whether any app of ours that is on asks for passwords itself. */
export async function someClientChallenges(db: Db): Promise<boolean> {
  const { rows } = await sql`select from clients
    where authorization_challenge and first_party and disabled_at is null limit 1`.execute(db)
  return rows.length > 0
}

/** What the client may ask for in all, as RFC 7591 writes it. */
export function wholeScope(client: Pick<Client, 'metadata' | 'apis'>): string {
  const standard = splitScope(client.metadata.scope ?? '')
  return [...new Set([...standard, ...client.apis.flatMap(({ scopes }) => scopes)])].join(' ')
}

const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

type Secret = { hash: Buffer; createdAt: Date; expiresAt: Date | null }
type Row = Omit<Client, 'secrets'> & { secrets: Secret[] }

async function readClients(
  db: Db,
  condition: ReturnType<typeof sql>,
  limit: number | null = null,
): Promise<Row[]> {
  const { rows } = await sql<Omit<Row, 'secrets'> & { secrets: [string, number, number | null][] }>`
    select c.id, c.name, c.preset, c.metadata, c.first_party, c.pkce_required, c.ignores_unknown_resource,
      c.profile, c.access_token_seconds, c.refresh_idle_seconds, c.refresh_total_seconds, c.refresh_rotation,
      c.userinfo_acr, c.userinfo_max_age_seconds, c.authorization_challenge,
      c.second_factor, c.second_factors, c.certificate_authorities, c.claim_names,
      (select json_build_object(
          'roles', coalesce(json_agg(l.role order by l.role) filter (where l.role is not null), '[]'),
          'groups', coalesce(json_agg(l.group_name order by l.group_name) filter (where l.group_name is not null), '[]'))
        from client_access l where l.client_id = c.id having count(*) > 0) as access,
      (select json_build_object('id', t.id, 'name', t.name)
        from registration_tokens t where t.id = c.registered_with) as registered_with,
      c.disabled_at, c.created_at, c.updated_at,
      coalesce((
        select json_agg(json_build_array(
          encode(s.hash, 'hex'), extract(epoch from s.created_at), extract(epoch from s.expires_at)
        ) order by s.created_at desc)
        from client_secrets s
        where s.client_id = c.id and (s.expires_at is null or s.expires_at > now())), '[]') as secrets,
      coalesce((
        select json_agg(json_build_object(
          'identifier', a.identifier, 'scopes', case when ca.scopes is null then a.scopes
            else array(select s from unnest(ca.scopes) s where s = any (a.scopes)) end,
          'tokenLifetimeSeconds', a.token_lifetime_seconds, 'wholeApi', ca.scopes is null
        ) order by a.identifier)
        from client_apis ca join apis a on a.identifier = ca.api_identifier
        where ca.client_id = c.id), '[]') as apis,
      array(
        select ${tokenExchange} where exists (select from token_exchanges e where e.client_id = c.id)
        union all
        select ${jwtBearer} where exists (select from trusted_issuer_clients i where i.client_id = c.id)
      ) as policy_grants
    from clients c where ${condition}
    order by lower(c.name), c.id limit ${limit}`.execute(db)
  return rows.map((row) => ({
    ...row,
    secrets: row.secrets.map(([hash, createdAt, expiresAt]) => ({
      hash: Buffer.from(hash, 'hex'),
      createdAt: new Date(createdAt * 1000),
      expiresAt: expiresAt === null ? null : new Date(expiresAt * 1000),
    })),
  }))
}

function withoutHashes({ secrets, ...row }: Row): Client {
  return { ...row, secrets: secrets.map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt })) }
}
