-- compatible: a column that may be empty, and one more way to begin
-- People who register with a passkey alone: no password stands anywhere.

alter table registrations alter column password_hash drop not null;
-- By which half of the mail the address was proven. Who has no password goes on where that was done.
alter table registrations add column verified_by text check (verified_by in ('code', 'link'));
