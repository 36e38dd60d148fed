-- compatible: new tables
-- Upstream sign-in: who else we believe, which of our people they know, and the ways there that are under way.

create table providers (
  -- Stands in the callback address that is registered there, so it never changes.
  id text primary key check (id ~ '^[a-z][a-z0-9-]{0,39}$'),
  preset text not null,
  name text not null check (name <> ''),
  issuer text not null,
  client_id text not null,
  -- The client secret, or the private key that makes one; sealed and bound to this row, issuer and client.
  secret_sealed bytea,
  apple_team_id text,
  apple_key_id text,
  scope text not null,
  trust_email boolean not null default false,
  -- Of an issuer with many tenants, whose people are let in; empty for all.
  tenants text[] not null default '{}',
  role_map jsonb not null default '[]',
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Whom an upstream means by a subject: one person here, whatever address comes with it.
create table identities (
  id uuid primary key,
  account_id uuid not null references accounts on delete cascade,
  provider_id text not null references providers on delete cascade,
  issuer text not null,
  subject text not null,
  -- As it was told at the last sign-in, for the person to recognise.
  label text not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  unique (provider_id, issuer, subject)
);
create index on identities (account_id);

-- Roles that somebody has because an upstream said so, and loses when it says so no longer.
create table identity_roles (
  identity_id uuid not null references identities on delete cascade,
  role text not null references roles on delete cascade,
  primary key (identity_id, role)
);

-- A way to an upstream and back, good once and for the browser that began it.
create table upstream_requests (
  id_hash bytea primary key,
  provider_id text not null references providers on delete cascade,
  browser text not null,
  -- Nonce, verifier and where the way leads.
  sealed bytea not null,
  -- What came back by a form from another site, which brings no cookie; the browser fetches it by a second request.
  answer_sealed bytea,
  expires_at timestamptz not null
);
create index on upstream_requests (expires_at);

-- Proven upstream and nobody's here yet: waits in one flow for a new account or for a link.
create table upstream_proofs (
  flow_hash bytea primary key,
  provider_id text not null references providers on delete cascade,
  sealed bytea not null,
  expires_at timestamptz not null
);
create index on upstream_proofs (expires_at);

-- Which session came from which session there, for the end of either.
create table upstream_sessions (
  id uuid primary key,
  -- Null until the engine has made it.
  session_uid text,
  account_id uuid not null references accounts on delete cascade,
  provider_id text not null references providers on delete cascade,
  issuer text not null,
  subject text not null,
  sid text,
  id_token_sealed bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index on upstream_sessions (session_uid);
create index on upstream_sessions (provider_id, subject);
create index on upstream_sessions (account_id);
create index on upstream_sessions (expires_at);
