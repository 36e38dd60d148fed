-- compatible: a table of its own
-- What a program has asked for once under a key of its own (src/idempotency.ts): the answer is sealed, since secrets are
-- told in it.

create table idempotency_keys (
  caller text not null,
  key_hash bytea not null,
  fingerprint bytea not null,
  -- Whoever runs it: another takes over when this one has been silent for too long.
  attempt uuid not null,
  started_at timestamptz not null default now(),
  answer bytea,
  expires_at timestamptz not null,
  primary key (caller, key_hash)
);
create index on idempotency_keys (expires_at);
