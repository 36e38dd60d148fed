/**
 * The engine's storage contract on our rows. Reads come from the request's joined statement, writes wait in
 * the unit of work and leave as one statement; single use is decided by that statement and not here.
 * Clients live in memory (clients/), replay detection is one insert (replay-detection.ts).
 */
import { decodeJwt } from 'jose'
import { type Adapter, Provider } from 'oidc-provider'
import { type Keyring, sha256 } from '../crypto.ts'
import type { Row } from '../sessions/artefacts.ts'
import { type Found, type Queryable, read, type StatementName } from '../sessions/reads.ts'
import type { Progress } from './interactions.ts'
import {
  artefactOf,
  isStoredModel,
  type ModelName,
  type Payload,
  toPayload,
  toRow,
} from './records.ts'
import { consumeRefreshToken, hideRetry } from './refresh-retry.ts'
import { sessionAdapter } from './session-adapter.ts'
import { joinedRead, once, type UnitOfWork, unitOfWork } from './unit-of-work.ts'
import {
  decision,
  findByUserCode,
  keepRequestSecrets,
  keepUserCode,
  openSecretsOfFlow,
  polledPayload,
  sealSecretsOfFlow,
} from './waiting-codes.ts'

export type Storage = {
  /** For plain reads. */
  reads: Queryable
  /** For questions that are counted, and so may wait for one another. */
  pool: Queryable
  keyring: Keyring
  /** The metadata of an enabled client in RFC 7591 names, from memory. */
  findClient(id: string): Promise<Payload | undefined>
  /** Whether the app lets the person of a token in, as both are now. */
  letsIn(clientId: unknown, account: Row | undefined): Promise<boolean>
}

/** How long a spent code still counts as spent and not as expired, so that a late replay ends what it issued. */
const replayWindowSeconds = 60

/** An adapter per model, as the engine asks for them. */
export function createAdapterFactory(storage: Storage): (name: string) => Adapter {
  return (name) => {
    if (name === 'Client') return { ...unsupported(name), find: storage.findClient }
    if (name === 'Session') return { ...unsupported(name), ...sessionAdapter(storage.reads) }
    if (isStoredModel(name)) return { ...unsupported(name), ...modelAdapter(storage, name) }
    return unsupported(name)
  }
}

function modelAdapter(storage: Storage, model: ModelName) {
  const artefact = artefactOf(model)

  async function spend(id: string): Promise<void> {
    unitOfWork().writes.set(`spend:${model}:${id}`, {
      kind: 'spend',
      from: artefact,
      idHash: sha256(id),
    })
  }

  return {
    async upsert(id: string, payload: Payload): Promise<void> {
      const unit = unitOfWork()
      const row = toRow(model, id, payload)
      if (model === 'Grant') row.session_uid = sessionOfRequest()
      if (model === 'Interaction') row.progress = await beginningOf(unit)
      if (model === 'Interaction') sealSecretsOfFlow(storage.keyring, id, row.rest as Payload)
      const key = `${model}:${id}`
      const wasThere = unit.known.has(key) && unit.writes.get(key)?.kind !== 'insert'
      unit.known.set(key, Promise.resolve({ ...payload, jti: id }))
      if (model === 'DeviceCode') {
        const decided = wasThere ? decision(unit, id, row) : undefined
        if (decided) unit.writes.set(key, decided)
        if (wasThere) return
        keepUserCode(storage.keyring, id, row)
      }
      if (model === 'BackchannelAuthenticationRequest') keepRequestSecrets(storage.keyring, id, row)
      if (model === 'Grant' && wasThere) {
        unit.writes.set(key, { kind: 'widenGrant', row })
        return
      }
      unit.writes.set(key, {
        kind: 'insert',
        into: artefact,
        row,
        // A repeated refresh makes the same successor again; the first one stands.
        onConflict: model === 'RefreshToken' ? 'nothing' : 'merge',
      })
    },

    find(id: string): Promise<Payload | undefined> {
      const unit = unitOfWork()
      return once(unit, `${model}:${id}`, () => load(storage, unit, model, id))
    },

    findByUserCode: (userCode: string) => findByUserCode(storage, unitOfWork(), userCode),

    consume: (id: string) =>
      model === 'RefreshToken' ? consumeRefreshToken(storage.keyring, unitOfWork(), id) : spend(id),

    async destroy(id: string): Promise<void> {
      // A finished interaction is spent and not deleted: of two resumes one goes on, and what it asked
      // for can be offered again to whoever comes back to its page.
      if (model === 'Interaction') return spend(id)
      const unit = unitOfWork()
      unit.known.set(`${model}:${id}`, Promise.resolve(undefined))
      unit.writes.delete(`${model}:${id}`)
      const key = model === 'Grant' ? id : sha256(id)
      unit.writes.set(`delete:${model}:${id}`, { kind: 'delete', from: artefact, key })
    },

    /** Nothing to do: every read of a token joins its grant, and ending a grant is `Grant.destroy`. */
    async revokeByGrantId(): Promise<void> {},
  }
}

async function load(
  storage: Storage,
  unit: UnitOfWork,
  model: ModelName,
  id: string,
): Promise<Payload | undefined> {
  switch (model) {
    case 'Interaction': {
      const { interaction } = await joinedRead(storage.reads, unit)
      if (!interaction || interaction.consumed_at !== null) return undefined
      if (!sha256(id).equals(interaction.id_hash as Buffer)) return undefined
      if (!isOfThisBrowser(unit, interaction.progress as Progress)) return undefined
      return openSecretsOfFlow(storage.keyring, id, toPayload(model, interaction, id))
    }
    case 'Grant': {
      const known = (await unit.found)?.grant
      const grant = known?.id === id ? known : (await read(storage.reads, 'grant', [id])).grant
      return grant && toPayload(model, grant)
    }
    case 'AuthorizationCode': {
      const found = await tokenRead(storage, unit, 'code', id)
      return found.token && found.grant && lateReplay(toPayload(model, found.token, id))
    }
    case 'RefreshToken': {
      const redeeming = unit.endpoint === 'token'
      const found = await tokenRead(storage, unit, redeeming ? 'refresh' : 'token', id)
      const row = redeeming ? found.token : found.refreshToken
      const payload = row && found.grant && toPayload(model, row, id)
      return payload && hideRetry(storage.keyring, unit, found, payload)
    }
    case 'AccessToken': {
      const found = await tokenRead(storage, unit, 'token', id)
      return found.token && found.grant && toPayload(model, found.token, id)
    }
    case 'ClientCredentials': {
      const found = await tokenRead(storage, unit, 'token', id)
      return found.clientCredentials && toPayload(model, found.clientCredentials, id)
    }
    case 'PushedAuthorizationRequest': {
      const { token } = await read(storage.reads, 'by_id_pushed_authorization_requests', [
        sha256(id),
      ])
      const payload = token && toPayload(model, token, id)
      return payload && isOfThisClient(payload) ? payload : undefined
    }
    case 'DeviceCode':
    case 'BackchannelAuthenticationRequest': {
      if (unit.endpoint !== 'token') return storedById(storage, model, id)
      const found = await tokenRead(storage, unit, polls[model], id)
      const payload = polledPayload(model, found, id)
      return payload && lateReplay(payload)
    }
    default:
      return storedById(storage, model, id)
  }
}

async function storedById(
  { reads }: Storage,
  model: ModelName,
  id: string,
): Promise<Payload | undefined> {
  const statement = `by_id_${artefactOf(model)}` as StatementName
  const { token } = await read(reads, statement, [sha256(id)])
  return token && toPayload(model, token, id)
}

/** A language that was chosen on one page of a request stays for its next ones. */
async function beginningOf(unit: UnitOfWork): Promise<Progress> {
  const { locale } = ((await unit.found)?.interaction?.progress ?? {}) as Progress
  return {
    ...(locale ? { locale } : {}),
    ...(unit.browser ? { browser: unit.browser.name() } : {}),
  }
}

/**
 * The flow's cookies hold its id, which anybody can make who has seen an address, and which a neighbour under the same
 * domain can plant. Without this, whoever began a flow would be signed in by a person who was lured into finishing it.
 */
function isOfThisBrowser(unit: UnitOfWork, { browser }: Progress): boolean {
  return browser === undefined || unit.browser?.names().includes(browser) === true
}

/** Reads a token with all it hangs on, and keeps the rows for what the engine asks next. */
async function tokenRead(
  storage: Storage,
  unit: UnitOfWork,
  statement: TokenStatement,
  id: string,
): Promise<Found> {
  // The engine looks for an opaque token among three models at once; all wait for one statement.
  unit.found ??= admitted(
    storage,
    isCounted(statement)
      ? read(storage.pool, statement, [sha256(id), askingClient()])
      : read(storage.reads, statement, [sha256(id)]),
  )
  const found = await unit.found
  const row = found.token ?? found.refreshToken
  if (row?.grant_id) {
    const { client_id: clientId, grant_id: grantId, account_id: accountId } = row
    unit.boundTo = { clientId, grantId, accountId } as NonNullable<UnitOfWork['boundTo']>
  }
  return found
}

/** A token of somebody whom its app does not let in any more hangs on nothing. */
async function admitted(storage: Storage, reading: Promise<Found>): Promise<Found> {
  const found = await reading
  const row = found.token ?? found.refreshToken
  if (!row?.account_id || (await storage.letsIn(row.client_id, found.account))) return found
  const { grant: _, account: __, ...rest } = found
  return rest
}

type TokenStatement =
  | 'code'
  | 'refresh'
  | 'token'
  | 'polled_device_codes'
  | 'polled_backchannel_authentication_requests'

const polls = {
  DeviceCode: 'polled_device_codes',
  BackchannelAuthenticationRequest: 'polled_backchannel_authentication_requests',
} as const

const isCounted = (statement: TokenStatement) => statement.startsWith('polled_')

/** Only its own app's questions count. */
function askingClient(): string | null {
  return Provider.ctx?.oidc.client?.clientId ?? null
}

/** To another client a pushed request does not exist; its own says whose it is. */
function isOfThisClient({ request }: Payload): boolean {
  const { client_id: asking } = Provider.ctx?.oidc.params ?? {}
  return asking === undefined || decodeJwt(String(request)).client_id === asking
}

function sessionOfRequest(): string | null {
  const session = Provider.ctx?.oidc.session as { uid?: string } | undefined
  return session?.uid ?? null
}

function lateReplay(payload: Payload): Payload {
  if (payload.consumed === undefined) return payload
  return { ...payload, exp: Math.floor(Date.now() / 1000) + replayWindowSeconds }
}

function unsupported(name: string): Adapter {
  const refuse = async (): Promise<never> => {
    throw new Error(`${name} is not stored`)
  }
  return {
    upsert: refuse,
    find: refuse,
    findByUid: refuse,
    findByUserCode: refuse,
    consume: refuse,
    destroy: refuse,
    revokeByGrantId: refuse,
  }
}
