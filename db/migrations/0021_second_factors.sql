-- compatible: new tables, and columns that may be null
-- What people prove beside their password, and what an operator asks of it.

-- What an operator changes while everything runs; each name is one thing with its own shape.
create table settings (
  name text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);

alter table clients
  -- When a second factor is asked for, and which count. Null: as everywhere here.
  add column second_factor text check (second_factor in ('asked', 'enrolled', 'new-device', 'always')),
  add column second_factors text[];

create table authenticators (
  id uuid primary key,
  account_id uuid not null references accounts on delete cascade,
  name text not null check (char_length(name) between 1 and 60),
  -- Sealed and bound to this row and its owner.
  secret_sealed bytea not null,
  -- The time step of the last code that was taken: it only grows, so each code is good once (RFC 6238 section 5.2).
  last_step integer not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz
);
create index on authenticators (account_id);

create table recovery_codes (
  code_hash bytea primary key,
  account_id uuid not null references accounts on delete cascade,
  created_at timestamptz not null default now(),
  used_at timestamptz
);
create index on recovery_codes (account_id);

create table remembered_devices (
  token_hash bytea primary key,
  account_id uuid not null references accounts on delete cascade,
  -- The second factor that it stands for.
  factor text not null,
  address inet,
  user_agent text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index on remembered_devices (account_id);
create index on remembered_devices (expires_at);

-- A code that was mailed to whoever is signing in, one for each way through our pages.
create table sign_in_codes (
  flow_hash bytea primary key,
  account_id uuid not null references accounts on delete cascade,
  email_canonical text not null,
  number integer not null,
  code_hash bytea not null,
  guesses integer not null default 0,
  next_mail_at timestamptz not null,
  expires_at timestamptz not null
);
create index on sign_in_codes (account_id);
create index on sign_in_codes (expires_at);
