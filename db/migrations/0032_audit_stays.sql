-- compatible: nobody but the two functions that say so has changed or removed events
-- The audit trail only grows. Looking at rows that are changed or removed costs nothing where events are written.

create function audit_event_stays() returns trigger language plpgsql as $$
begin
  -- audit/retention.ts, by the age that an operator has set.
  if tg_op = 'DELETE' and current_setting('idp.audit', true) = 'retention' then
    return old;
  end if;
  -- accounts/leaving.ts: what happened stays, without whose it was.
  if tg_op = 'UPDATE' and current_setting('idp.audit', true) = 'erasure'
    and (new.id, new.at, new.type, new.actor_kind, new.actor_id, new.account_id, new.client_id)
      is not distinct from (old.id, old.at, old.type, old.actor_kind, old.actor_id, old.account_id, old.client_id)
    and new.address is null and new.request_id is null and new.detail = '{}'
  then
    return new;
  end if;
  raise exception 'audit events stay as they are' using errcode = '55000';
end $$;

create trigger audit_event_stays before update or delete on audit_events
  for each row execute function audit_event_stays();
