-- compatible: a table of its own
-- Hosts whose documents may speak for a client (OAuth Client ID Metadata Document). Without one none does.

create table metadata_hosts (
  -- As browsers write it: small letters, xn-- form, with a port where it is not 443.
  host text primary key check (host <> ''),
  -- What such clients may ask for.
  scopes text[] not null,
  created_at timestamptz not null default now()
);
