/**
 * Tokens of ours that somebody brings back: who they are about, whom they were given to, and whether they are alive
 * now, which is more than their signature says. Used where a token begins a new one; introspection is
 * structured-tokens.ts.
 */
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { sha256 } from '../crypto.ts'
import type { Row } from '../sessions/artefacts.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { letsIn } from './entry.ts'
import { toPayload } from './records.ts'

/** RFC 8693 §4.1: who acted, and below that who acted before. */
export type Act = { sub: string; client_id?: string; act?: Act }

export type OwnToken = {
  /** As the client that it was given to calls the person, or the client itself. */
  sub: string
  /** Absent where a service acts for itself. */
  accountId?: string
  /** Who that is, where the reading of the token found it. */
  account?: Row
  clientId: string
  grant?: Row
  audience?: string
  scopes: string[]
  /** Seconds since 1970. */
  expiresAt: number
  cnf?: { jkt?: string; 'x5t#S256'?: string }
  act?: Act
  mayAct?: { sub?: unknown; client_id?: unknown }
  /** How the person signed in, for the token that follows. */
  proven: { acr?: unknown; amr?: unknown; auth_time?: unknown }
}

type Options = { issuer: string; pool: Queryable; clients: ClientCache; keys: JSONWebKeySet }

const signedBy = ['ES256', 'RS256', 'EdDSA']

export function createTokenReader({ issuer, pool, clients, keys }: Options) {
  const keySet = createLocalJWKSet(keys)

  /** Opaque or `at+jwt`; undefined for whatever is no access token of ours that is alive. */
  async function accessToken(value: string): Promise<OwnToken | undefined> {
    if (value.length > 8192) return undefined
    const token = looksSigned(value) ? await structured(value) : await opaque(value)
    return token && (await clients.client(token.clientId)) ? token : undefined
  }

  /** Undefined for whatever is no ID token of ours, or when nothing of that sign-in is left. */
  async function idToken(value: string): Promise<OwnToken | undefined> {
    const payload = value.length > 8192 ? undefined : await verified(value, undefined)
    const { aud, sub, auth_time: authTime, exp } = payload ?? {}
    // Userinfo and answers as JWT have the same signature, and no time of sign-in.
    if (!payload || typeof aud !== 'string' || !sub || !exp || typeof authTime !== 'number')
      return undefined
    const client = await clients.client(aud)
    // Whom a pairwise subject means cannot be told from it.
    if (!client || client.metadata.subject_type === 'pairwise' || !isUuid(sub)) return undefined
    const { rows } = await pool.query<{ id: string }>({
      name: 'grant_of_id_token',
      text: `select g.id from grants g join accounts a on a.id = g.account_id
        where g.account_id = $1 and g.client_id = $2 and g.expires_at > now() and a.status = 'active'
          and g.parents = '{}' and g.created_at < to_timestamp($3)
        order by g.created_at desc limit 1`,
      values: [sub, aud, (payload.iat ?? 0) + 1],
    })
    const id = rows[0]?.id
    const { grant, account } = id === undefined ? {} : await read(pool, 'grant', [id])
    if (!grant || !(await letsIn(clients, aud, account))) return undefined
    return {
      sub,
      accountId: sub,
      clientId: aud,
      grant,
      audience: aud,
      scopes: [],
      expiresAt: exp,
      ...more(payload),
    }
  }

  async function structured(value: string): Promise<OwnToken | undefined> {
    const payload = await verified(value, 'at+jwt')
    const { sub, client_id: clientId, gid, exp, aud, scope } = payload ?? {}
    if (!payload || typeof clientId !== 'string' || !sub || !exp || typeof aud !== 'string')
      return undefined
    const own = { sub, clientId, audience: aud, scopes: words(scope), expiresAt: exp }
    if (gid === undefined) return sub === clientId ? { ...own, ...more(payload) } : undefined
    const { grant, account } = await read(pool, 'grant', [String(gid)])
    if (!grant || !account || grant.client_id !== clientId) return undefined
    if (!(await letsIn(clients, clientId, account))) return undefined
    return { ...own, accountId: String(grant.account_id), account, grant, ...more(payload) }
  }

  async function opaque(value: string): Promise<OwnToken | undefined> {
    const found = await read(pool, 'token', [sha256(value)])
    const model = found.token ? 'AccessToken' : 'ClientCredentials'
    const row = found.token ?? found.clientCredentials
    if (!row || (row.expires_at as Date).getTime() <= Date.now()) return undefined
    const payload = toPayload(model, row, value)
    const { clientId, accountId, scope, exp, aud, jkt, extra } = payload as Record<
      string,
      string
    > & {
      exp: number
      extra?: JWTPayload
    }
    const x5t = payload['x5t#S256'] as string | undefined
    const own = {
      clientId: String(clientId),
      ...(aud === undefined ? {} : { audience: aud }),
      scopes: words(scope),
      expiresAt: exp,
      ...(jkt || x5t
        ? { cnf: { ...(jkt ? { jkt } : {}), ...(x5t ? { 'x5t#S256': x5t } : {}) } }
        : {}),
      ...more({ ...extra }),
    }
    if (model === 'ClientCredentials') return { ...own, sub: own.clientId }
    const { grant, session, account } = found
    if (!grant || !account || grant.client_id !== clientId || grant.account_id !== accountId)
      return undefined
    if (!(await letsIn(clients, clientId, account))) return undefined
    if (row.expires_with_session === true && session?.account_id !== accountId) return undefined
    return { ...own, sub: String(accountId), accountId: String(accountId), account, grant }
  }

  async function verified(value: string, typ: string | undefined): Promise<JWTPayload | undefined> {
    try {
      if (decodeProtectedHeader(value).typ !== typ) return undefined
      const { payload } = await jwtVerify(value, keySet, { issuer, algorithms: signedBy })
      return payload
    } catch {
      return undefined
    }
  }

  return { accessToken, idToken }
}

export type TokenReader = ReturnType<typeof createTokenReader>

function more(payload: JWTPayload): Pick<OwnToken, 'cnf' | 'act' | 'mayAct' | 'proven'> {
  const { cnf, act, may_act: mayAct, acr, amr, auth_time } = payload
  return {
    ...(cnf ? { cnf: cnf as NonNullable<OwnToken['cnf']> } : {}),
    ...(act ? { act: act as Act } : {}),
    ...(mayAct ? { mayAct: mayAct as NonNullable<OwnToken['mayAct']> } : {}),
    proven: {
      ...(acr === undefined ? {} : { acr }),
      ...(amr === undefined ? {} : { amr }),
      ...(auth_time === undefined ? {} : { auth_time }),
    },
  }
}

function looksSigned(value: string): boolean {
  return value.split('.').length === 3
}

function words(scope: unknown): string[] {
  return typeof scope === 'string' ? scope.split(' ').filter((word) => word !== '') : []
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}
