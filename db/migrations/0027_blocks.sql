-- compatible: a new table
-- Addresses that may not begin anything here for a while: by an admin's rule, or by how they behaved.

create table blocks (
  id text primary key,
  network cidr not null,
  kind text not null check (kind in ('rule', 'behaviour')),
  -- `entry`: signing in anew, registering, resetting, codes. `all`: every request; only an admin says so.
  scope text not null default 'entry' check (scope in ('entry', 'all')),
  reason text not null,
  created_by text not null,
  -- Each time that the same network is blocked again it lasts longer.
  times integer not null default 1,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  constraint behaviour_ends check (kind = 'rule' or (expires_at is not null and scope = 'entry'))
);
-- Processes that see the same thing at once make one block.
create unique index blocks_one_of_behaviour on blocks (network) where kind = 'behaviour';
create unique index blocks_one_rule on blocks (network, scope) where kind = 'rule';
create index on blocks (expires_at);
insert into versions (name) values ('blocks');
