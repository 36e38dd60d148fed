-- compatible: a new table
-- The way of a native sign-in between its requests (OAuth 2.0 for First-Party Applications §5.3.1): each value is good
-- once, for one client, and where it came with a proof for one key. No secret of the person is kept.

create table auth_sessions (
  id_hash bytea primary key,
  client_id text not null,
  jkt text,
  parameters jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  consumed_at timestamptz
);
create index on auth_sessions (expires_at);
