-- compatible: first tables
-- Registered apps, their secrets, and the APIs they may call.

create table clients (
  id text primary key check (id ~ '^[A-Za-z0-9_-]{1,128}$'),
  name text not null check (name <> ''),
  preset text not null,
  -- RFC 7591 names, as the engine reads them; never a secret.
  metadata jsonb not null,
  first_party boolean not null default false,
  pkce_required boolean not null default true,
  ignores_unknown_resource boolean not null default false,
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Admins address apps by name, so a name means one app however its case is written.
create unique index clients_name on clients (lower(name));

-- Secrets are random (256 bits), so SHA-256 is enough; several may live side by side during a rotation.
create table client_secrets (
  hash bytea primary key,
  client_id text not null references clients on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index on client_secrets (client_id);

create table apis (
  identifier text primary key,
  name text not null,
  scopes text[] not null default '{}',
  token_lifetime_seconds integer not null default 600 check (token_lifetime_seconds between 30 and 86400),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table client_apis (
  client_id text not null references clients on delete cascade,
  api_identifier text not null references apis on delete cascade,
  -- Null: every scope of the API, later ones too.
  scopes text[],
  primary key (client_id, api_identifier)
);
create index on client_apis (api_identifier);
