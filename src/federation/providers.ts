/**
 * Who signs people in for us, as an operator has set it up. Their secrets are sealed, bound to row, issuer and client, so
 * that none is ever sent to another address than the one that it was given for.
 */
import { type Selectable, sql } from 'kysely'
import { type Actor, record } from '../audit/audit.ts'
import type { Problem } from '../clients/metadata.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { Tables } from '../database/tables.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { checkProvider } from './check-provider.ts'
import type { PresetName } from './presets.ts'
import { applyRoles } from './roles.ts'

export type RoleRule = { claim: string; value: string; role: string }

export type Provider = Omit<Selectable<Tables['providers']>, 'preset' | 'roleMap'> & {
  preset: PresetName
  roleMap: RoleRule[]
}

/** `secret`: the client secret, or Apple's private key (PKCS #8, PEM). */
export type ProviderInput = Pick<
  Provider,
  | 'id'
  | 'preset'
  | 'name'
  | 'issuer'
  | 'clientId'
  | 'appleTeamId'
  | 'appleKeyId'
  | 'scope'
  | 'trustEmail'
  | 'tenants'
  | 'roleMap'
  | 'enabled'
> & { secret: string | undefined }

type Deps = { db: Db; keyring: Keyring; ourIssuer: string }
/** `allowAdminRole`: the operator has said in so many words that an upstream may make admins. */
type By = { actor: Actor; allowAdminRole?: boolean | undefined }

export type Stored =
  | { ok: true; provider: Provider }
  | { ok: false; reason: 'invalid'; problems: Problem[] }
  | { ok: false; reason: 'taken' }
  | { ok: false; reason: 'gone' }

const purpose = 'provider-secret'
const rowOf = ({ id, issuer, clientId }: Pick<Provider, 'id' | 'issuer' | 'clientId'>) =>
  JSON.stringify([id, issuer, clientId])

export function createProvider(deps: Deps, input: ProviderInput, by: By): Promise<Stored> {
  const { db, keyring, ourIssuer } = deps
  return transact(db, async (trx): Promise<Stored> => {
    const mighty = await mightyRoles(trx)
    const problems = checkProvider(input, { ourIssuer, mighty, ...by })
    if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
    const { secret, ...columns } = input
    const made = await trx
      .insertInto('providers')
      .values({
        ...columns,
        roleMap: JSON.stringify(columns.roleMap),
        secretSealed: secret === undefined ? null : keyring.seal(purpose, rowOf(input), secret),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
    if (!made) return { ok: false, reason: 'taken' }
    await tellAll(trx, 'created', input, by.actor)
    return { ok: true, provider: made as Provider }
  })
}

export type ProviderChange = Partial<Omit<ProviderInput, 'id' | 'preset'>>

/** Changes what is named. A new issuer or client id takes the secret anew. */
export function updateProvider(
  deps: Deps,
  id: string,
  change: ProviderChange,
  by: By,
): Promise<Stored> {
  const { db, keyring, ourIssuer } = deps
  return transact(db, async (trx): Promise<Stored> => {
    const before = await trx
      .selectFrom('providers')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst()
    if (!before) return { ok: false, reason: 'gone' }
    const provider = before as Provider
    const { secret, ...named } = change
    const wanted = { ...provider, ...named }
    const moved = rowOf(wanted) !== rowOf(provider)
    const kept = moved ? undefined : tryOpen(keyring, provider)
    const roleMapChanged = change.roleMap !== undefined
    const problems = checkProvider(
      { ...wanted, secret: secret ?? kept },
      // What was allowed once needs no second word.
      {
        ourIssuer,
        mighty: await mightyRoles(trx),
        ...by,
        ...(roleMapChanged ? {} : { allowAdminRole: true }),
      },
    )
    if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
    const { roleMap, ...columns } = named
    const changed = await trx
      .updateTable('providers')
      .set({
        ...columns,
        ...(roleMap === undefined ? {} : { roleMap: JSON.stringify(roleMap) }),
        ...(secret === undefined
          ? {}
          : { secretSealed: keyring.seal(purpose, rowOf(wanted), secret) }),
        updatedAt: sql<Date>`clock_timestamp()`,
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
    await tellAll(trx, 'updated', wanted, by.actor)
    return { ok: true, provider: changed as Provider }
  })
}

/** With the links of people and the roles that came by them. How many had it as a way in; undefined when there is no such provider. */
export function deleteProvider(db: Db, id: string, actor: Actor): Promise<number | undefined> {
  return transact(db, async (trx) => {
    const linked = await countIdentities(trx, id)
    const giving = await trx
      .selectFrom('identities')
      .innerJoin('identityRoles', 'identityRoles.identityId', 'identities.id')
      .select(['identities.id', 'identities.accountId'])
      .distinct()
      .where('providerId', '=', id)
      .execute()
    for (const identity of giving) {
      await applyRoles(trx, { identityId: identity.id, ...identity }, { roles: [] }, {})
    }
    const gone = await trx
      .deleteFrom('providers')
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst()
    if (!gone) return undefined
    await tellAll(trx, 'deleted', gone as Provider, actor)
    return linked
  })
}

export async function listProviders(db: Db): Promise<Provider[]> {
  const rows = await db.selectFrom('providers').selectAll().orderBy('createdAt').execute()
  return rows as Provider[]
}

export async function countIdentities(db: Db, id: string): Promise<number> {
  const { count } = await db
    .selectFrom('identities')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('providerId', '=', id)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** What no key opens any more has to be given anew. */
function tryOpen(keyring: Keyring, provider: Provider): string | undefined {
  try {
    return openSecret(keyring, provider)
  } catch {
    return undefined
  }
}

/** Throws when it was sealed for another row, issuer or client, or by another server. */
export function openSecret(keyring: Keyring, provider: Provider): string | undefined {
  if (provider.secretSealed === null) return undefined
  return keyring.open(purpose, rowOf(provider), provider.secretSealed).toString()
}

/** Those that may everything, by whatever name. */
async function mightyRoles(trx: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from roles where permissions && array['*:*']`.execute(trx)
  return rows.map(({ id }) => id)
}

async function tellAll(
  trx: Db,
  change: 'created' | 'updated' | 'deleted',
  provider: Pick<
    Provider,
    'id' | 'preset' | 'issuer' | 'clientId' | 'trustEmail' | 'roleMap' | 'enabled'
  >,
  actor: Actor,
): Promise<void> {
  await bumpVersion(trx, 'settings')
  const { id, preset, issuer, clientId, trustEmail, roleMap, enabled } = provider
  const detail = { id, preset, issuer, clientId, trustEmail, roleMap, enabled }
  await record(trx, { type: `provider.${change}`, actor, detail })
}
