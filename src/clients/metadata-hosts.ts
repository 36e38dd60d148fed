/**
 * Hosts whose documents may speak for a client (draft-ietf-oauth-client-id-metadata-document): the address of such a
 * document is a client id. No host, no such client, and nothing is ever fetched for one.
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { resolvePolicy, type ScopePolicy } from './access.ts'
import { isHost } from './registration-policy.ts'
import { type Problem, shorten } from './rules/problem.ts'

export type MetadataHost = ScopePolicy & { host: string; createdAt: Date }

type By = { actor: Actor; origin?: Origin }

export function listMetadataHosts(db: Db): Promise<MetadataHost[]> {
  return db.selectFrom('metadataHosts').selectAll().orderBy('host').execute()
}

/** A host that is there gets these scopes; `changed` is false when it had them. */
export async function addMetadataHost(
  db: Db,
  { host, ...wanted }: ScopePolicy & { host: string },
  { actor, origin }: By,
): Promise<{ ok: true; changed: boolean; scopes: string[] } | { ok: false; problems: Problem[] }> {
  const { policy, problems: unresolved } = await resolvePolicy(db, wanted)
  const { scopes, apis } = policy
  const problems = [...checkHost(host), ...unresolved]
  if (problems.length > 0) return { ok: false, problems }
  return transact(db, async (trx) => {
    const { rows } = await sql`
      insert into metadata_hosts (host, scopes, apis) values (${host}, ${scopes}, ${apis})
      on conflict (host) do update set scopes = excluded.scopes, apis = excluded.apis
        where metadata_hosts.scopes <> excluded.scopes or metadata_hosts.apis <> excluded.apis
      returning host`.execute(trx)
    if (rows.length === 0) return { ok: true, changed: false, scopes }
    // What was allowed before may have been more, and another process may have served it for a second after that.
    await endUse(trx, host)
    await bumpVersion(trx, 'clients')
    await record(trx, { type: 'metadata_host.added', actor, origin, detail: { host, ...policy } })
    return { ok: true, changed: true, scopes }
  })
}

/** Its clients are nobody from now on, and their tokens end. False when it was not there. */
export function removeMetadataHost(db: Db, host: string, { actor, origin }: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('metadataHosts')
      .where('host', '=', host)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return false
    await endUse(trx, host)
    await sql`delete from consents where starts_with(client_id, ${prefixOf(host)})`.execute(trx)
    await bumpVersion(trx, 'clients')
    await record(trx, { type: 'metadata_host.removed', actor, origin, detail: { host } })
    return true
  })
}

function endUse(trx: Db, host: string) {
  return sql`delete from grants where starts_with(client_id, ${prefixOf(host)})`.execute(trx)
}

/** What every client id of this host begins with, and no other's does. */
function prefixOf(host: string): string {
  return `https://${host}/`
}

function checkHost(host: string): Problem[] {
  if (isHost(host)) return []
  return [
    {
      field: 'host',
      code: 'host_malformed',
      message: `${shorten(host)} is not a host`,
      fix: 'Give the host alone, such as app.example.org, in small letters, without a wildcard.',
    },
  ]
}
