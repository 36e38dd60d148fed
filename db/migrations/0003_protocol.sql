-- compatible: first tables
-- One table per artefact of the protocol. Ids are SHA-256 of the value that travels; `rest` holds what is
-- never searched. No foreign keys, triggers or sequences here: these rows are written on every sign-in,
-- and a token without its grant is dead because every read joins it.

create table sessions (
  uid text primary key,
  id_hash bytea not null unique,
  -- The id before the last rotation: tabs that were under way with it keep working for a minute.
  previous_id_hash bytea unique,
  rotated_at timestamptz,
  -- The current id, sealed under a key that only a holder of the previous id can derive.
  id_sealed bytea,
  account_id uuid,
  signed_in_at timestamptz,
  acr text,
  amr text[],
  transient boolean not null default false,
  -- {client_id: {sid, grantId, persistsLogout}}, merged key by key so that tabs do not lose each other.
  authorizations jsonb not null default '{}',
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null
) with (fillfactor = 80);
create index on sessions (account_id);
create index on sessions (expires_at);

-- What one session allowed one client. Deleting the row ends every token that hangs on it.
create table grants (
  id text primary key,
  account_id uuid not null,
  client_id text not null,
  session_uid text,
  scopes text[] not null default '{}',
  claims text[] not null default '{}',
  resources jsonb not null default '{}',
  rest jsonb not null default '{}',
  -- Issued offline_access: survives the end of its session.
  offline boolean not null default false,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index on grants (session_uid);
create index on grants (account_id, client_id);
create index on grants (expires_at);

-- What a person allowed a client, across sessions and devices.
create table consents (
  account_id uuid not null,
  client_id text not null,
  scopes text[] not null default '{}',
  claims text[] not null default '{}',
  resources jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, client_id)
);
create index on consents (client_id);

create table interactions (
  id_hash bytea primary key,
  client_id text,
  prompt text not null,
  session_uid text,
  session_account_id uuid,
  grant_id text,
  login_account_id uuid,
  result jsonb,
  -- The way through our own pages: which step this flow has proven, for whom. Never the engine's business.
  progress jsonb not null default '{}',
  rest jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz
) with (fillfactor = 80);
create index on interactions (expires_at);

create table authorization_codes (
  id_hash bytea primary key,
  grant_id text not null,
  client_id text not null,
  account_id uuid not null,
  session_uid text,
  expires_with_session boolean not null default false,
  redirect_uri text,
  code_challenge text,
  scope text,
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz
) with (fillfactor = 80);
create index on authorization_codes (expires_at);

create table refresh_tokens (
  id_hash bytea primary key,
  grant_id text not null,
  client_id text not null,
  account_id uuid not null,
  session_uid text,
  expires_with_session boolean not null default false,
  jkt text,
  scope text,
  rotations integer not null default 0,
  -- Where the one allowed successor stands, so that a retry can be told from a branch.
  successor_hash bytea,
  rest jsonb not null default '{}',
  first_issued_at timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz
) with (fillfactor = 80);
create index on refresh_tokens (expires_at);

create table access_tokens (
  id_hash bytea primary key,
  grant_id text not null,
  client_id text not null,
  account_id uuid not null,
  session_uid text,
  expires_with_session boolean not null default false,
  jkt text,
  scope text,
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index on access_tokens (expires_at);

create table client_credentials (
  id_hash bytea primary key,
  client_id text not null,
  jkt text,
  scope text,
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index on client_credentials (expires_at);

create table device_codes (
  id_hash bytea primary key,
  user_code_hash bytea not null unique,
  -- The engine needs the id after a look-up by user code.
  id_sealed bytea not null,
  grant_id text,
  client_id text not null,
  account_id uuid,
  session_uid text,
  expires_with_session boolean not null default false,
  scope text,
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz
);
create index on device_codes (expires_at);

create table backchannel_authentication_requests (
  id_hash bytea primary key,
  grant_id text,
  client_id text not null,
  account_id uuid,
  session_uid text,
  expires_with_session boolean not null default false,
  scope text,
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz
);
create index on backchannel_authentication_requests (expires_at);

create table pushed_authorization_requests (
  id_hash bytea primary key,
  rest jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz
);
create index on pushed_authorization_requests (expires_at);

-- `jti` of client assertions and DPoP proofs: the first insert wins, every other is a replay.
create table replay_detection (
  id_hash bytea primary key,
  expires_at timestamptz not null
);
create index on replay_detection (expires_at);

-- Initial and registration access tokens of dynamic client registration.
create table registration_access_tokens (
  id_hash bytea primary key,
  kind text not null check (kind in ('InitialAccessToken', 'RegistrationAccessToken')),
  client_id text,
  rest jsonb not null default '{}',
  created_at timestamptz not null,
  expires_at timestamptz
);
create index on registration_access_tokens (client_id);

-- An authorization or logout request that came by POST, waiting for the GET that the answer sends the browser to.
create table posted_requests (
  id_hash bytea primary key,
  endpoint text not null,
  parameters jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index on posted_requests (expires_at);
