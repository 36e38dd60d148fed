-- compatible: tables and a column of their own
-- Grants that begin with somebody else's token: exchanges of ours (RFC 8693), assertions of others (RFC 7523).

-- What an exchanged token was made from. When one of these ends, so does the token.
alter table grants add column parents text[] not null default '{}';

-- Who may turn which tokens into tokens for whom. Without a row nobody may.
create table token_exchanges (
  client_id text not null references clients on delete cascade,
  -- Whom the new token is for: an API, or a client that asks us about it.
  api_identifier text references apis on delete cascade,
  audience_client_id text references clients on delete cascade,
  -- Whose tokens it may bring. Null: its own, and those for an API that it serves.
  source_client_id text references clients on delete cascade,
  mode text not null check (mode in ('impersonation', 'delegation')),
  -- Null: never more than the token that was brought.
  scopes text[],
  created_at timestamptz not null default now(),
  check (num_nonnulls(api_identifier, audience_client_id) = 1),
  unique nulls not distinct (client_id, api_identifier, audience_client_id, source_client_id)
);
create index on token_exchanges (api_identifier);
create index on token_exchanges (audience_client_id);
create index on token_exchanges (source_client_id);
