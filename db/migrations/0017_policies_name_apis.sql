-- compatible: columns with defaults
-- Which APIs the scopes of a policy belong to: one that comes later with a scope of the same name is not meant.

alter table registration_tokens add column apis text[] not null default '{}';
alter table metadata_hosts add column apis text[] not null default '{}';
update registration_tokens t
  set apis = array(select a.identifier from apis a where a.scopes && t.scopes order by a.identifier);
update metadata_hosts h
  set apis = array(select a.identifier from apis a where a.scopes && h.scopes order by a.identifier);
