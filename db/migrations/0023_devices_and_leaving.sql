-- compatible: nullable columns
-- What people see of their sessions, and how they leave.

alter table sessions
  -- What the browser said of itself, and where it was, when it was last seen.
  add column user_agent text,
  add column address inet,
  add column seen_at timestamptz;

alter table accounts
  -- Asked to be deleted: then the account is erased, unless its owner signs in before.
  add column deletion_due_at timestamptz;
create index on accounts (deletion_due_at) where deletion_due_at is not null;
