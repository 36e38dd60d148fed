-- compatible: new tables
-- Services that are told what happens to accounts, sessions, grants and roles (Standard Webhooks).

create table webhooks (
  id text primary key,
  url text not null check (url ~ '^https?://'),
  -- Types, or all of a kind as `account.*`, or `*`.
  events text[] not null check (cardinality(events) > 0),
  note text,
  -- Sealed with a key derived from SECRET_KEY and bound to this row. The one before signs too, for a while.
  secret_sealed bytea not null,
  old_secret_sealed bytea,
  old_secret_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  disabled_at timestamptz,
  -- When something was last left out because too much waited.
  overflowed_at timestamptz,
  constraint old_secret_ends check ((old_secret_sealed is null) = (old_secret_until is null))
);

create table webhook_deliveries (
  -- What the receiver knows the message by, however often it comes.
  id uuid primary key default gen_random_uuid(),
  webhook_id text not null references webhooks on delete cascade,
  type text not null,
  -- Exactly what is signed and sent.
  body text not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  error text,
  created_at timestamptz not null default now(),
  attempted_at timestamptz,
  next_attempt_at timestamptz not null default now(),
  settled_at timestamptz
);
create index webhook_deliveries_pending on webhook_deliveries (webhook_id, next_attempt_at) where state = 'pending';
create index on webhook_deliveries (webhook_id, created_at);
create index on webhook_deliveries (settled_at);
