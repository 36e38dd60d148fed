-- compatible: columns with defaults, and a table of its own
-- How an API wants its tokens, and what may be asked for there in detail (RFC 9396).

alter table apis
  add column token_format text not null default 'jwt' check (token_format in ('jwt', 'opaque')),
  add column token_alg text not null default 'ES256' check (token_alg in ('RS256', 'ES256', 'EdDSA'));

create table authorization_types (
  -- A request names the type alone, so a name means one API.
  name text primary key check (name ~ '^[\x21-\x7e]{1,100}$'),
  api_identifier text not null references apis on delete cascade,
  -- json and not jsonb: people are shown the members in the order in which they were written.
  schema json not null,
  created_at timestamptz not null default now()
);
create index on authorization_types (api_identifier);
