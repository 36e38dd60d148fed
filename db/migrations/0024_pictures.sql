-- compatible: new table, and a check that lets in what it let in before
-- Pictures that people give themselves: re-encoded, small, one for each account, under an address that cannot be guessed.

create table pictures (
  id text primary key,
  account_id uuid not null unique references accounts on delete cascade,
  bytes bytea not null check (length(bytes) < 200000),
  created_at timestamptz not null default now()
);

alter table accounts
  drop constraint accounts_picture_url_check,
  add constraint accounts_picture_url_check check (picture_url ~ '^https?://');
