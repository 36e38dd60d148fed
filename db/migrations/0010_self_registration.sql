-- compatible: a table of its own, columns with defaults, and an index that forbids less
-- Apps that register themselves (RFC 7591, RFC 7592), and the tokens that let them.

-- Initial access tokens. A row stays when its token has ended: its clients may keep what it allowed.
create table registration_tokens (
  id text primary key,
  name text not null check (name <> ''),
  -- The token is random (256 bits), so SHA-256 is enough.
  token_hash bytea not null unique,
  -- Null: as many as come.
  uses_left integer check (uses_left >= 0),
  used integer not null default 0,
  -- What its clients may ask for. No hosts: everywhere.
  scopes text[] not null,
  grant_types text[] not null check (cardinality(grant_types) > 0),
  redirect_hosts text[] not null default '{}',
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
-- A revoked token gives its name back.
create unique index registration_tokens_name on registration_tokens (lower(name)) where revoked_at is null;

alter table clients
  -- How it came: made by an admin, or by itself with one of these tokens.
  add column registered_with text references registration_tokens,
  -- The hash of its registration access token (RFC 7592).
  add column management_hash bytea unique,
  add constraint registered_is_managed check ((registered_with is null) = (management_hash is null));
create index on clients (registered_with);

-- The same software registers itself again and again under its own name; only admins address apps by name.
drop index clients_name;
create unique index clients_name on clients (lower(name)) where registered_with is null;
create index clients_registered_name on clients (lower(name)) where registered_with is not null;
