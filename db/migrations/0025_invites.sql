-- compatible: a new table, and a nullable column that the release before leaves empty
-- Who may make an account where registration is by invitation. The code is told once; its keyed hash is kept.

create table invites (
  id text primary key,
  code_hash bytea not null unique,
  uses integer not null check (uses between 1 and 1000000),
  -- Never more than was given: of fifty at once only as many pass as uses are left.
  used integer not null default 0 check (used between 0 and uses),
  roles text[] not null default '{}',
  -- Set: only whoever proves this address comes in.
  email text,
  email_canonical text,
  note text,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint address_is_whole check ((email is null) = (email_canonical is null))
);

-- What it used of its invitation is given back when it comes to nothing.
alter table registrations add column invite_id text references invites on delete set null;
create index on registrations (invite_id) where invite_id is not null;
