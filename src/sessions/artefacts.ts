/**
 * The columns of every artefact of the protocol, once: reads select them, writes insert them, and the
 * adapter translates them into the engine's words. `rest` holds what is never searched.
 */

/** Column name and PostgreSQL type; parameters are cast, since `insert … select` infers nothing. */
export type Columns = Readonly<Record<string, string>>

export type Artefact = {
  table: string
  key: string
  columns: Columns
}

const times = { created_at: 'timestamptz', expires_at: 'timestamptz' } as const
const token = {
  id_hash: 'bytea',
  grant_id: 'text',
  client_id: 'text',
  account_id: 'uuid',
  session_uid: 'text',
  expires_with_session: 'boolean',
  scope: 'text',
  rest: 'jsonb',
  ...times,
} as const
const spendable = { consumed_at: 'timestamptz' } as const

export const artefacts = {
  sessions: {
    table: 'sessions',
    key: 'uid',
    columns: {
      uid: 'text',
      id_hash: 'bytea',
      previous_id_hash: 'bytea',
      rotated_at: 'timestamptz',
      id_sealed: 'bytea',
      account_id: 'uuid',
      signed_in_at: 'timestamptz',
      acr: 'text',
      amr: 'text[]',
      transient: 'boolean',
      authorizations: 'jsonb',
      rest: 'jsonb',
      user_agent: 'text',
      address: 'inet',
      seen_at: 'timestamptz',
      ...times,
    },
  },
  grants: {
    table: 'grants',
    key: 'id',
    columns: {
      id: 'text',
      account_id: 'uuid',
      client_id: 'text',
      session_uid: 'text',
      scopes: 'text[]',
      claims: 'text[]',
      resources: 'jsonb',
      rest: 'jsonb',
      offline: 'boolean',
      parents: 'text[]',
      ...times,
    },
  },
  interactions: {
    table: 'interactions',
    key: 'id_hash',
    columns: {
      id_hash: 'bytea',
      client_id: 'text',
      prompt: 'text',
      session_uid: 'text',
      session_account_id: 'uuid',
      grant_id: 'text',
      login_account_id: 'uuid',
      result: 'jsonb',
      progress: 'jsonb',
      rest: 'jsonb',
      ...times,
      ...spendable,
    },
  },
  authorization_codes: {
    table: 'authorization_codes',
    key: 'id_hash',
    columns: { ...token, redirect_uri: 'text', code_challenge: 'text', ...spendable },
  },
  refresh_tokens: {
    table: 'refresh_tokens',
    key: 'id_hash',
    columns: {
      ...token,
      jkt: 'text',
      rotations: 'integer',
      successor_hash: 'bytea',
      first_issued_at: 'timestamptz',
      ...spendable,
    },
  },
  access_tokens: { table: 'access_tokens', key: 'id_hash', columns: { ...token, jkt: 'text' } },
  client_credentials: {
    table: 'client_credentials',
    key: 'id_hash',
    columns: {
      id_hash: 'bytea',
      client_id: 'text',
      jkt: 'text',
      scope: 'text',
      rest: 'jsonb',
      ...times,
    },
  },
  device_codes: {
    table: 'device_codes',
    key: 'id_hash',
    columns: {
      ...token,
      user_code_hash: 'bytea',
      id_sealed: 'bytea',
      browser: 'text',
      ...spendable,
    },
  },
  backchannel_authentication_requests: {
    table: 'backchannel_authentication_requests',
    key: 'id_hash',
    columns: { ...token, id_sealed: 'bytea', ...spendable },
  },
  pushed_authorization_requests: {
    table: 'pushed_authorization_requests',
    key: 'id_hash',
    columns: { id_hash: 'bytea', rest: 'jsonb', ...times, ...spendable },
  },
} as const satisfies Record<string, Artefact>

export type ArtefactName = keyof typeof artefacts

/** One row of an artefact by column name, as pg gives it: dates as Date, bytea as Buffer, jsonb parsed. */
export type Row = Record<string, unknown>

export function isSpendable(name: ArtefactName): boolean {
  return 'consumed_at' in artefacts[name].columns
}
