-- compatible: a nullable column and a new table
-- By which names an app is told roles and groups, and what it keeps about each of its people.

alter table clients add column claim_names jsonb;

create table service_settings (
  account_id uuid not null references accounts on delete cascade,
  client_id text not null references clients on delete cascade,
  settings json not null,
  -- Changes with every write; what If-Match is compared with.
  version uuid not null,
  updated_at timestamptz not null default now(),
  primary key (account_id, client_id)
);
create index on service_settings (client_id);
