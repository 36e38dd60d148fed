/** Sees to it that our own API (own-api.ts) is among the APIs, under the address that ISSUER gives it. */
import { sql } from 'kysely'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { deleteApi } from './change-api.ts'
import { ownApiIdentifier, ownScopes } from './own-api.ts'

/**
 * Makes it, or brings its name and scopes up to date. With `follow` one of another issuer takes on this one's address, and
 * its clients with it: only a server knows for sure which that is.
 */
export async function ensureOwnApi(
  db: Db,
  { issuer, brandName, follow }: { issuer: string; brandName: string; follow: boolean },
): Promise<void> {
  const identifier = ownApiIdentifier(issuer)
  const scopes = Object.keys(ownScopes)
  const before = await find(db)
  if (before && !follow) return
  const same = before?.identifier === identifier && before.name === brandName
  if (same && `${before.scopes}` === `${scopes}`) return
  await transact(db, async (trx) => {
    await sql`lock table apis in share row exclusive mode`.execute(trx)
    const known = await find(trx)
    if (known?.identifier !== identifier) {
      // What somebody registered at this address before it was ours lets no client in here.
      await deleteApi(trx, identifier, { actor: { kind: 'system' } })
      await trx.insertInto('apis').values({ identifier, name: brandName, scopes }).execute()
      if (known) {
        await trx
          .updateTable('clientApis')
          .set({ apiIdentifier: identifier })
          .where('apiIdentifier', '=', known.identifier)
          .execute()
        await trx.deleteFrom('apis').where('identifier', '=', known.identifier).execute()
      }
    }
    await trx
      .updateTable('apis')
      .set({ name: brandName, scopes, builtIn: true, updatedAt: sql<Date>`now()` })
      .where('identifier', '=', identifier)
      .execute()
    await bumpVersion(trx, 'clients')
  })
}

function find(db: Db) {
  return db
    .selectFrom('apis')
    .select(['identifier', 'name', 'scopes'])
    .where('builtIn', '=', true)
    .executeTakeFirst()
}
