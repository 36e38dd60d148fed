-- compatible: a new table
-- One-time tokens of `idp doctor`: whoever brings one through the proxy is told what arrived with it. Hashed, good for a minute.
create table doctor_probes (
  token_hash bytea primary key,
  expires_at timestamptz not null
);
create index on doctor_probes (expires_at);
