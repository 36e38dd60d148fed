/** Writes a change of a client that was found good. What is taken away is taken from living tokens too. */
import { sql } from 'kysely'
import { record } from '../audit/audit.ts'
import { changesOf } from '../audit/changes.ts'
import type { Db } from '../database/connection.ts'
import { bumpVersion } from '../database/versions.ts'
import { storeApis } from './access.ts'
import { differences, isNarrower, isTighter, namedFields } from './client-differences.ts'
import { endAccess } from './client-life.ts'
import { type AllowedApi, type Client, getClient, wholeScope } from './clients.ts'
import { addSecret, type By } from './create-client.ts'
import { type ClientMetadata, usesSecret } from './metadata.ts'
import type { ClientPolicy } from './policy.ts'

export type Changed = { client: Client; changed: string[]; narrowed: boolean; secret?: string }

export type After = ClientPolicy & {
  preset: string
  metadata: ClientMetadata
  pkceRequired: boolean
  firstParty: boolean
  ignoresUnknownResource: boolean
  apis: AllowedApi[]
}

/** Part of the caller's transaction, which holds the row. */
export async function storeChange(trx: Db, before: Client, after: After, by: By): Promise<Changed> {
  const { id } = before
  const { metadata, apis, ...columns } = after
  const changed = differences(before, after)
  if (changed.length === 0) return { client: before, changed, narrowed: false }
  await trx
    .updateTable('clients')
    .set({
      name: metadata.client_name,
      metadata: JSON.stringify(metadata),
      ...columns,
      updatedAt: sql<Date>`now()`,
    })
    .where('id', '=', id)
    .execute()
  await storeApis(trx, id, apis)
  const secret = await fitSecrets(trx, before, metadata)
  const narrowed = isNarrower(wholeScope(before), wholeScope(after)) || isTighter(before, after)
  if (narrowed) await endAccess(trx, id)
  await bumpVersion(trx, 'clients')
  await record(trx, {
    type: 'client.updated',
    actor: by.actor,
    origin: by.origin,
    clientId: id,
    detail: { changed, ...changesOf(namedFields(before), namedFields(after), changed) },
  })
  const client = await getClient(trx, id)
  return { client, changed, narrowed, ...(secret === undefined ? {} : { secret }) }
}

/** A client that becomes public forgets its secrets; one that becomes confidential gets its first. */
async function fitSecrets(
  trx: Db,
  before: Client,
  metadata: ClientMetadata,
): Promise<string | undefined> {
  if (usesSecret(metadata) === usesSecret(before.metadata)) return undefined
  if (usesSecret(metadata)) return addSecret(trx, before.id)
  await trx.deleteFrom('clientSecrets').where('clientId', '=', before.id).execute()
  return undefined
}
