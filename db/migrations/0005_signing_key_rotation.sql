-- compatible: a column, an index and one more state, which the previous release neither reads nor fills
-- A signing key is published (created_at), signs (activated_at), stops (stopped_at), leaves the key set (retired_at).

alter table signing_keys add column stopped_at timestamptz;

-- However many processes rotate at once, one key stands by.
create unique index signing_keys_one_next on signing_keys (alg) where state = 'next';

alter table signing_keys
  drop constraint signing_keys_state_check,
  add constraint signing_keys_state_check check (state in ('next', 'current', 'previous', 'retired')),
  add constraint signing_keys_stopped_check check ((state in ('previous', 'retired')) = (stopped_at is not null)),
  add constraint signing_keys_retired_check check ((state = 'retired') = (retired_at is not null));
