-- compatible: columns that may be null, or have a default

alter table clients
  -- What userinfo asks of the sign-in behind this client's tokens (RFC 9470). Null: nothing.
  add column userinfo_acr text check (userinfo_acr in ('1fa', '2fa', 'phr')),
  add column userinfo_max_age_seconds integer check (userinfo_max_age_seconds between 1 and 31536000),
  -- May ask for passwords itself, where it is our own (OAuth 2.0 for First-Party Applications).
  add column authorization_challenge boolean not null default false;
