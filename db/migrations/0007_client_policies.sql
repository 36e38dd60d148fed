-- compatible: columns with defaults, and a table of its own
-- What a client is held to beyond its metadata, and the secrets that outlive a change of SECRET_KEY.

alter table clients
  -- A set of rules that holds as a whole; what it demands also stands in `metadata`, where the engine reads it.
  add column profile text check (profile in ('fapi2', 'fapi2-message-signing')),
  -- Null: what holds for every client (src/oidc/lifetimes.ts).
  add column access_token_seconds integer check (access_token_seconds between 30 and 86400),
  add column refresh_idle_seconds integer check (refresh_idle_seconds between 60 and 31536000),
  add column refresh_total_seconds integer check (refresh_total_seconds between 60 and 31536000),
  add column refresh_rotation boolean not null default true,
  -- PEM: who may vouch for its certificates (tls_client_auth).
  add column certificate_authorities text,
  add constraint idle_within_total check (refresh_idle_seconds <= refresh_total_seconds);

-- Made once, sealed under the newest key at every start: what is derived from one of these stays the same for ever.
create table lasting_secrets (
  name text primary key,
  sealed bytea not null
);
