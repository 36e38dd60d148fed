-- compatible: new tables
-- Passkeys (WebAuthn Level 3). Nothing here is secret: a public key proves nothing by itself.

-- What authenticators know somebody by: random, so that it says nothing about the account (WebAuthn §14.6.1).
create table passkey_holders (
  account_id uuid primary key references accounts on delete cascade,
  user_handle bytea not null unique check (octet_length(user_handle) = 32),
  created_at timestamptz not null default now()
);

create table passkeys (
  id uuid primary key,
  account_id uuid not null references accounts on delete cascade,
  credential_id bytea not null unique check (octet_length(credential_id) between 1 and 1023),
  public_key bytea not null,
  -- Of the authenticator's uses; many never count, and stay at 0.
  counter bigint not null check (counter >= 0),
  transports text[] not null default '{}',
  -- Never changes in the life of a credential; whether it is backed up now does.
  backup_eligible boolean not null,
  backed_up boolean not null check (backup_eligible or not backed_up),
  aaguid uuid not null,
  -- The domain that it was made for, which may be an older one than the issuer's.
  rp_id text not null,
  -- Empty until somebody gives it one.
  name text not null default '',
  created_at timestamptz not null default now(),
  last_used_at timestamptz
);
create index on passkeys (account_id);

-- Each is good once, for one act, in one flow or session.
create table passkey_challenges (
  id_hash bytea primary key,
  purpose text not null check (purpose in ('add', 'sign-in')),
  bound_to bytea not null,
  account_id uuid references accounts on delete cascade,
  expires_at timestamptz not null
);
create index on passkey_challenges (expires_at);
create index on passkey_challenges (account_id);

-- Where somebody said "not now", so that they are not asked there again.
create table passkey_declines (
  account_id uuid not null references accounts on delete cascade,
  device_hash bytea not null,
  declined_at timestamptz not null default now(),
  primary key (account_id, device_hash)
);
