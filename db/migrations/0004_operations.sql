-- compatible: first tables
-- What the service needs to run: signing keys, versions for the caches, limits, the audit trail.

create table signing_keys (
  kid text primary key,
  alg text not null check (alg in ('RS256', 'ES256', 'EdDSA')),
  state text not null check (state in ('next', 'current', 'previous')),
  public_jwk jsonb not null,
  -- Sealed with a key derived from SECRET_KEY and bound to this row's kid.
  private_jwk_sealed bytea not null,
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  retired_at timestamptz
);
-- However many processes start at once on an empty database, one key signs.
create unique index signing_keys_one_current on signing_keys (alg) where state = 'current';

-- One counter for each thing that processes keep in memory; they look once a second.
create table versions (
  name text primary key,
  version bigint not null default 1
);
insert into versions (name) values ('clients'), ('keys'), ('settings');

-- Shape given by rate-limiter-flexible; keys are hashed before they come here.
create table rate_limits (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
create index on rate_limits (expire);

create table audit_events (
  id uuid primary key,
  at timestamptz not null default now(),
  type text not null,
  actor_kind text not null check (actor_kind in ('person', 'client', 'operator', 'system')),
  actor_id text,
  account_id uuid,
  client_id text,
  address inet,
  request_id text,
  detail jsonb not null default '{}'
);
create index on audit_events (at);
create index on audit_events (account_id, at);
create index on audit_events (client_id, at);

-- Why a request was refused, for whoever holds its reference. No secrets; kept seven days.
create table refusals (
  reference text primary key,
  at timestamptz not null default now(),
  endpoint text not null,
  client_id text,
  error text not null,
  detail jsonb not null default '{}'
);
create index on refusals (at);
