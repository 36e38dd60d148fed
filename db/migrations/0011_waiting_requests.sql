-- compatible: columns with defaults
-- Devices and apps that wait for a person's yes: how often they may ask, and who has taken the question up.

alter table device_codes
  -- The browser that has confirmed the code (src/oidc/unit-of-work.ts); no other goes on with it.
  add column browser text,
  add column interval_seconds integer not null default 5,
  add column polled_at timestamptz,
  -- The last question came too early.
  add column hurried boolean not null default false;

alter table backchannel_authentication_requests
  -- The id, and the token that a ping is proven by: needed once, when the app is told.
  add column id_sealed bytea,
  add column interval_seconds integer not null default 5,
  add column polled_at timestamptz,
  add column hurried boolean not null default false;
create index on backchannel_authentication_requests (account_id) where grant_id is null;
