-- compatible: new tables
-- Others whose word about a person we take (RFC 7523 §2.1): whose keys, about whom, for which clients and how much.

create table trusted_issuers (
  issuer text primary key,
  -- Its public keys, or where they are published.
  jwks jsonb,
  jwks_uri text,
  algorithms text[] not null,
  -- What its `sub` (or verified `email`) is of ours.
  subject text not null check (subject in ('account', 'username', 'email')),
  -- The most that a token may carry.
  scopes text[] not null,
  -- The longest life of an assertion, in seconds.
  max_lifetime_seconds integer not null check (max_lifetime_seconds between 10 and 3600),
  created_at timestamptz not null default now(),
  check (num_nonnulls(jwks, jwks_uri) = 1)
);

create table trusted_issuer_clients (
  issuer text not null references trusted_issuers on delete cascade,
  client_id text not null references clients on delete cascade,
  primary key (issuer, client_id)
);
create index on trusted_issuer_clients (client_id);
