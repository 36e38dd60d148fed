-- compatible: new tables
-- What it takes to keep passkeys when the issuer moves to another domain (WebAuthn Level 3 §5.11, related origins).

-- The domain that passkeys are made for, where it is not the issuer's own: at most one row.
create table passkey_domain (
  is_only boolean primary key default true check (is_only),
  rp_id text not null
);

-- Who else may use the passkeys of our domain; browsers read it at /.well-known/webauthn.
create table passkey_origins (
  origin text primary key check (origin ~ '^https://[a-z0-9.-]+(:[0-9]+)?$'),
  created_at timestamptz not null default now()
);
