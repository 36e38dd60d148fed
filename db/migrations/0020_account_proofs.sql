-- compatible: new tables
-- Proofs by mail beyond registration: a code and a link for a new password or a new address, and the way back to an old one.

create table mail_proofs (
  id uuid primary key,
  purpose text not null check (purpose in ('reset-password', 'change-address')),
  -- Whose password or address it is. Of a new password it is known only once the mail is sent, and may be nobody's.
  account_id uuid references accounts on delete cascade,
  email text not null,
  email_canonical text not null,
  locale text not null,
  -- What the newest mail carries: both as hashes, both ended by time, guesses or a newer mail.
  mail_number integer not null default 1,
  code_hash bytea,
  token_hash bytea unique,
  proof_expires_at timestamptz not null,
  guesses integer not null default 0,
  next_mail_at timestamptz not null,
  -- The code was right: the browser that typed it may go on.
  proven_at timestamptz,
  consumed_at timestamptz,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
-- Of two changes of one address only the newer one counts.
create unique index on mail_proofs (account_id) where purpose = 'change-address';
create index on mail_proofs (account_id);
create index on mail_proofs (expires_at);

create table address_undos (
  id uuid primary key,
  account_id uuid not null references accounts on delete cascade,
  -- The address before the change.
  email text not null,
  email_canonical text not null,
  token_hash bytea not null unique,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);
create index on address_undos (account_id);
create index on address_undos (expires_at);
