-- compatible: new table
-- Which apps are told that a session has ended (OpenID Connect Back-Channel Logout 1.0), one row per app and session.
-- What the app is sent is made at sending time: `sid` follows from session and client, the token lives two minutes.

create table logout_deliveries (
  session_uid text not null,
  client_id text not null,
  account_id uuid not null,
  -- refused: a rule of ours forbids the address. failed: it was tried for hours in vain.
  state text not null default 'pending' check (state in ('pending', 'told', 'refused', 'failed')),
  attempts integer not null default 0,
  -- One word of ours for the last failure, never what the app answered.
  error text,
  asked_at timestamptz not null default now(),
  attempted_at timestamptz,
  next_attempt_at timestamptz not null default now(),
  primary key (session_uid, client_id)
);
create index on logout_deliveries (client_id, next_attempt_at) where state = 'pending';
create index on logout_deliveries (asked_at);
