/**
 * Apps that register and manage themselves (RFC 7591, RFC 7592). All rules for clients hold for them, and besides the
 * policy of the token that let them in. They are never first-party, and PKCE is always theirs.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { randomToken, sha256 } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { bumpVersion } from '../database/versions.ts'
import { livingScopes, resolveAccess, storeApis } from './access.ts'
import { deleteClient } from './client-life.ts'
import {
  type AllowedApi,
  type Client,
  findManagedClient,
  getClient,
  wholeScope,
} from './clients.ts'
import { addSecret } from './create-client.ts'
import { runEngineCheck } from './engine-check.ts'
import { completeMetadata, defaultScope, readGivenMetadata } from './given-metadata.ts'
import { type ClientMetadata, checkMetadata, type EngineCheck, usesSecret } from './metadata.ts'
import { changedPolicy, noPolicy } from './policy.ts'
import { checkAgainstPolicy, withoutGains } from './registration-policy.ts'
import {
  findLiveToken,
  findRegistrationToken,
  type RegistrationPolicy,
  spendRegistrationToken,
} from './registration-tokens.ts'
import type { Problem } from './rules/problem.ts'
import { splitScope, standardScopes } from './scopes.ts'
import { storeChange } from './store-change.ts'

export type From = { origin?: Origin | undefined; engineCheck?: EngineCheck | undefined }

type Body = Record<string, unknown>
type Invalid = { ok: false; reason: 'invalid'; problems: Problem[] }
type Unauthorized = { ok: false; reason: 'unauthorized' }

/** `secret` and `managementToken` are in clear here and never again. A refused body uses nothing up. */
export async function registerClient(
  db: Db,
  initialAccessToken: string,
  body: Body,
  from: From,
): Promise<
  { ok: true; client: Client; managementToken: string; secret?: string } | Invalid | Unauthorized
> {
  const token = await findLiveToken(db, initialAccessToken)
  if (!token) return { ok: false, reason: 'unauthorized' }
  const id = `dyn-${randomBytes(10).toString('hex')}`
  const judged = await judge(db, body, { id, policy: token, before: undefined }, from)
  if (!judged.ok) return judged
  const { metadata, apis } = judged

  return transact(db, async (trx) => {
    if (!(await spendRegistrationToken(trx, token.id))) {
      return { ok: false, reason: 'unauthorized' }
    }
    const managementToken = randomToken(32)
    await trx
      .insertInto('clients')
      .values({
        id,
        name: metadata.client_name,
        preset: 'registered',
        metadata: JSON.stringify(metadata),
        ...noPolicy,
        registeredWith: token.id,
        managementHash: sha256(managementToken),
        disabledAt: null,
      })
      .execute()
    await storeApis(trx, id, apis)
    const secret = usesSecret(metadata) ? await addSecret(trx, id) : undefined
    await bumpVersion(trx, 'clients')
    await record(trx, {
      type: 'client.registered',
      actor: { kind: 'client', id },
      origin: from.origin,
      clientId: id,
      detail: {
        name: metadata.client_name,
        registrationToken: token.id,
        redirectUris: metadata.redirect_uris,
      },
    })
    const client = await getClient(trx, id)
    return { ok: true, client, managementToken, ...(secret === undefined ? {} : { secret }) }
  })
}

/** The client that this registration access token manages. Undefined for any other, and for none. */
export function findManaged(db: Db, id: string, token: string): Promise<Client | undefined> {
  return findManagedClient(db, id, sha256(token))
}

/**
 * The body replaces what the app had said of itself; what it leaves out is gone (RFC 7592 §2.2). What an admin set
 * stays. `secret` is there when the app had none and now needs one.
 */
export async function replaceClient(
  db: Db,
  { id, token: managementToken }: { id: string; token: string },
  body: Body,
  from: From,
): Promise<{ ok: true; client: Client; secret?: string } | Invalid | Unauthorized> {
  const client = await findManaged(db, id, managementToken)
  if (!client?.registeredWith) return { ok: false, reason: 'unauthorized' }
  const token = await findRegistrationToken(db, client.registeredWith.id)
  if (!token) return { ok: false, reason: 'unauthorized' }
  const policy = token.revokedAt === null ? token : withoutGains(token, client.metadata)
  const judged = await judge(db, body, { id, policy, before: client }, from)
  if (!judged.ok) return judged
  const { metadata, apis } = judged

  return transact(db, async (trx) => {
    await sql`select 1 from clients where id = ${id} for update`.execute(trx)
    const before = await findManaged(trx, id, managementToken)
    if (!before) return { ok: false, reason: 'unauthorized' }
    const { preset, pkceRequired, firstParty, ignoresUnknownResource } = before
    const ours = changedPolicy(before, {})
    // Once more, with what an admin may have changed while an address of the app was read.
    const problems = checkMetadata(metadata, { pkceRequired, ...ours })
    if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
    const kept = { preset, pkceRequired, firstParty, ignoresUnknownResource, ...ours }
    const after = { ...kept, metadata, apis }
    const { client: stored, secret } = await storeChange(trx, before, after, {
      actor: self(id),
      ...(from.origin ? { origin: from.origin } : {}),
    })
    return { ok: true, client: stored, ...(secret === undefined ? {} : { secret }) }
  })
}

/** Its tokens end with it. False for a wrong token; of two at once one is right. */
export function removeClient(
  db: Db,
  { id, token }: { id: string; token: string },
  { origin }: Pick<From, 'origin'>,
): Promise<boolean> {
  return transact(db, async (trx) => {
    await sql`select 1 from clients where id = ${id} for update`.execute(trx)
    if (!(await findManaged(trx, id, token))) return false
    return deleteClient(trx, id, { actor: self(id), ...(origin ? { origin } : {}) })
  })
}

type Context = { id: string; policy: RegistrationPolicy; before: Client | undefined }

async function judge(
  db: Db,
  body: Body,
  { id, policy: wanted, before }: Context,
  { engineCheck }: From,
): Promise<{ ok: true; metadata: ClientMetadata; apis: AllowedApi[] } | Invalid> {
  const read = readGivenMetadata(body)
  if (!read.ok) return { ...read, reason: 'invalid' }
  const { given } = read
  const policy = { ...wanted, scopes: await livingScopes(db, wanted) }
  const asked =
    given.scope === undefined
      ? defaultScope(given, policy.scopes, standardScopes)
      : splitScope(given.scope)
  const access = await resolveAccess(db, {
    scope: asked.join(' '),
    apis: [],
    preferred: [...(before?.apis ?? []).map(({ identifier }) => identifier), ...policy.apis],
    own: before?.apis ?? [],
  })
  const metadata = completeMetadata(given, access.standard, before?.metadata)
  const had = {
    metadata: before?.metadata ?? {},
    scopes: before ? splitScope(wholeScope(before)) : [],
  }
  const problems = [
    ...checkAgainstPolicy(policy, { metadata, scopes: asked }, had),
    ...access.problems,
    ...checkMetadata(metadata, { pkceRequired: true, ...(before ?? {}) }),
  ]
  if (problems.length === 0) problems.push(...(await runEngineCheck(engineCheck, id, metadata)))
  if (problems.length > 0) return { ok: false, reason: 'invalid', problems }
  return { ok: true, metadata, apis: keepWhole(access.apis, before) }
}

/** Writing back what was read takes nothing away: an API that was allowed as a whole stays so. */
function keepWhole(apis: AllowedApi[], before: Client | undefined): AllowedApi[] {
  return apis.map((api) => {
    const known = before?.apis.find(({ identifier }) => identifier === api.identifier)
    const same = known?.scopes.every((scope) => api.scopes.includes(scope))
    return known?.wholeApi && same ? known : api
  })
}

function self(id: string): Actor {
  return { kind: 'client', id }
}
