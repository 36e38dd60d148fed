-- compatible: nullable columns
-- Where people live and how they are called, for apps that ask for it (OpenID Connect Core 5.1); nobody has to say.

alter table accounts
  -- Members as in OpenID Connect Core 5.1.1; absent ones are not there.
  add column address jsonb check (jsonb_typeof(address) = 'object' and address <> '{}'),
  -- E.164.
  add column phone_number text check (phone_number ~ '^\+[1-9][0-9]{3,14}$'),
  add column phone_number_verified_at timestamptz,
  add constraint proven_phone_is_there check (phone_number_verified_at is null or phone_number is not null);
