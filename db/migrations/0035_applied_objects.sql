-- compatible: a new table
-- What files of `idp apply` have made or taken over: what --prune may remove, and what export gives back.

create table applied_objects (
  kind text not null,
  id text not null,
  -- json and not jsonb: the order of members is the file's.
  declared json not null,
  created boolean not null,
  place integer not null,
  applied_at timestamptz not null default now(),
  primary key (kind, id)
);
