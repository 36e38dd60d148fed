/** Whom an app lets in: everybody, or who holds one of its roles or is in one of its groups. */
import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { endSessions } from '../sessions/end-sessions.ts'

/**
 * Ends what these accounts have at apps that do not let them in any more: grants, tokens, and the app's part of their
 * sessions; apps are told. `accounts` is a query of ids, in the caller's transaction and after its change; of one app where it is given.
 */
export async function endRefused(
  trx: Db,
  accounts: RawBuilder<unknown>,
  clientId?: string,
): Promise<void> {
  const { rows } = await sql<{ accountId: string; clientId: string }>`
    with held as (
      select account_id, client_id from grants where account_id in ${accounts}
      union
      select account_id, jsonb_object_keys(authorizations) from sessions where account_id in ${accounts}
    )
    select account_id, client_id from held h
    where h.client_id = coalesce(${clientId ?? null}::text, h.client_id)
      and exists (select from client_access a where a.client_id = h.client_id)
      and not exists (
        select from client_access a where a.client_id = h.client_id and (
          a.role = 'user'
          or a.role in (select role from held_roles where account_id = h.account_id)
          or a.group_name in (select group_name from group_members where account_id = h.account_id)))
    order by account_id, client_id`.execute(trx)
  for (const { accountId, clientId } of rows) {
    await endSessions(trx, { accountId, clientId }, { offline: 'ends' })
  }
}
