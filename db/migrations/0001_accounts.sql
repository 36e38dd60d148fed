-- compatible: first tables
-- People, what they may do, and how they became people here.

create table accounts (
  id uuid primary key,
  username text not null unique check (username ~ '^[a-z_][a-z0-9_-]{0,31}$'),
  -- Names that look alike share a skeleton, so the second one is refused here and not by a look beforehand.
  username_skeleton text not null unique,
  status text not null check (status in ('unverified', 'active', 'disabled', 'deleted')),
  password_hash text,
  password_changed_at timestamptz,
  -- Only a proven address stands here, so an unverified account reserves none.
  email text,
  email_canonical text unique,
  email_verified_at timestamptz,
  name text not null check (name <> ''),
  given_name text not null check (given_name <> ''),
  family_name text not null check (family_name <> ''),
  picture_url text check (picture_url like 'https://%'),
  locale text check (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
  zoneinfo text,
  disabled_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint address_is_whole check (
    (email is null) = (email_canonical is null) and (email is null) = (email_verified_at is null)
  ),
  constraint active_has_address check (status <> 'active' or email is not null)
);

create table account_roles (
  account_id uuid not null references accounts on delete cascade,
  role text not null check (role ~ '^[a-z][a-z0-9_.:-]{0,63}$'),
  created_at timestamptz not null default now(),
  primary key (account_id, role)
);
create index on account_roles (role);

create table registrations (
  id uuid primary key,
  handle_hash bytea not null unique,
  account_id uuid references accounts on delete set null,
  username text not null,
  email text not null,
  email_canonical text not null,
  name text not null,
  locale text not null,
  password_hash text not null,
  status text not null check (status in (
    'initiated', 'username_validated', 'user_created', 'system_user_created', 'mail_configured',
    'verification_sent', 'verified', 'failed'
  )),
  -- The last status reached before a failure; a retry goes on from there.
  last_step text not null,
  error text,
  -- What the newest mail carries: both as hashes, both ended by time, guesses or a newer mail.
  mail_number integer not null default 0,
  code_hash bytea,
  token_hash bytea unique,
  proof_expires_at timestamptz,
  guesses integer not null default 0,
  next_mail_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  verified_at timestamptz,
  expires_at timestamptz not null
);
create index on registrations (account_id);
create index on registrations (expires_at);

create table registration_transitions (
  registration_id uuid not null references registrations on delete cascade,
  at timestamptz not null default clock_timestamp(),
  from_status text,
  to_status text not null,
  error text
);
create index on registration_transitions (registration_id, at);
