-- compatible: new tables, and roles that people held become things of their own
-- What a role allows, who holds it, in which groups people are, and which of both an app asks for.

create table roles (
  -- `name`, and for a role that belongs to one app `client/name`.
  id text primary key,
  name text not null check (name ~ '^[a-z][a-z0-9_.:-]{0,63}$'),
  client_id text references clients on delete cascade,
  description text not null default '' check (length(description) <= 500),
  -- As src/roles/permission.ts writes them.
  permissions text[] not null default '{}' check (cardinality(permissions) <= 200),
  built_in boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint id_says_whose check (id = case when client_id is null then name else client_id || '/' || name end)
);
create index on roles (client_id);

insert into roles (id, name, description, permissions, built_in) values
  ('admin', 'admin', 'Everything; somebody always holds it.', '{*:*}', true),
  ('user', 'user', 'Everybody holds it.', '{}', true);
insert into roles (id, name) select distinct role, role from account_roles on conflict do nothing;
delete from account_roles where role = 'user';

alter table account_roles
  drop constraint account_roles_role_check,
  add foreign key (role) references roles on delete cascade,
  add constraint everybody_is_a_user check (role <> 'user');

create table groups (
  name text primary key check (name ~ '^[A-Za-z0-9]([A-Za-z0-9 _.:-]{0,62}[A-Za-z0-9_.:-])?$'),
  description text not null default '' check (length(description) <= 500),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index groups_name_key on groups (lower(name));

create table group_members (
  group_name text not null references groups on delete cascade,
  account_id uuid not null references accounts on delete cascade,
  created_at timestamptz not null default now(),
  primary key (account_id, group_name)
);
create index on group_members (group_name);

create table group_roles (
  group_name text not null references groups on delete cascade,
  role text not null references roles on delete cascade check (role <> 'user'),
  created_at timestamptz not null default now(),
  primary key (group_name, role)
);
create index on group_roles (role);

-- What an app may do that acts for itself.
create table client_roles (
  client_id text not null references clients on delete cascade,
  role text not null references roles on delete cascade check (role <> 'user'),
  created_at timestamptz not null default now(),
  primary key (client_id, role)
);
create index on client_roles (role);

-- Whom an app lets in; everybody while there is no row. Nothing here goes away by itself: what an app asks for is not
-- deleted under it, or it would be open to all.
create table client_access (
  client_id text not null references clients on delete cascade,
  role text references roles,
  group_name text references groups,
  constraint one_of_both check (num_nonnulls(role, group_name) = 1),
  unique nulls not distinct (client_id, role, group_name)
);
create index on client_access (role);
create index on client_access (group_name);

create view held_roles as
  select account_id, role from account_roles
  union
  select m.account_id, r.role from group_members m join group_roles r on r.group_name = m.group_name;

-- Holds one row from when the first admin can sign in; from then on there is one.
create table admin_guard (is_only boolean primary key default true check (is_only));

-- When a transaction ends, and one after the other: two admins who remove each other do not both see the other.
create function keep_an_admin() returns trigger language plpgsql as $$
begin
  if tg_table_name = 'accounts' then
    if not exists (select from held_roles where account_id = new.id and role = 'admin') then return null; end if;
  end if;
  perform pg_advisory_xact_lock(hashtext('idp.admins'));
  -- The lock waits for whoever switches this very account off at the same moment.
  perform from accounts a join held_roles h on h.account_id = a.id
    where h.role = 'admin' and a.status = 'active' and a.deletion_due_at is null
    limit 1 for share of a;
  if found then
    insert into admin_guard default values on conflict do nothing;
  elsif tg_op <> 'INSERT' and exists (select from admin_guard) then
    -- A class of ours: database/transact.ts tells it as a refusal.
    raise exception 'last_admin' using errcode = 'ID422',
      detail = 'Somebody has to stay who may everything: give the role admin to somebody else first.';
  end if;
  return null;
end $$;

create constraint trigger an_admin_remains after insert or delete on group_members
  deferrable initially deferred for each row execute function keep_an_admin();
create constraint trigger an_admin_remains_by_insert after insert on account_roles
  deferrable initially deferred for each row when (new.role = 'admin') execute function keep_an_admin();
create constraint trigger an_admin_remains_by_delete after delete on account_roles
  deferrable initially deferred for each row when (old.role = 'admin') execute function keep_an_admin();
create constraint trigger an_admin_remains_by_insert after insert on group_roles
  deferrable initially deferred for each row when (new.role = 'admin') execute function keep_an_admin();
create constraint trigger an_admin_remains_by_delete after delete on group_roles
  deferrable initially deferred for each row when (old.role = 'admin') execute function keep_an_admin();
create constraint trigger an_admin_remains after update of status, deletion_due_at on accounts
  deferrable initially deferred for each row
  when ((old.status = 'active' and old.deletion_due_at is null)
    is distinct from (new.status = 'active' and new.deletion_due_at is null))
  execute function keep_an_admin();

insert into admin_guard select true where exists (
  select from accounts a join held_roles h on h.account_id = a.id
  where h.role = 'admin' and a.status = 'active' and a.deletion_due_at is null);
