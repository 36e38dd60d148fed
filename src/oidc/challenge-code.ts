/**
 * The authorization code of a native sign-in. No browser takes part, so the session is one that nobody holds a cookie
 * of: it is there to be seen, to be ended, and for what ends with it.
 */
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { standardScopes } from '../clients/scopes.ts'
import { randomToken, sha256 } from '../crypto.ts'
import { sessionIdFor } from '../sessions/sessions.ts'
import type { ClientCache } from './client-cache.ts'
import { lifetimes } from './lifetimes.ts'
import { allowedApis } from './resources.ts'
import { unitOfWork } from './unit-of-work.ts'

/** Stands for the redirect URI that such a code does not have; no client can register it. */
export const noRedirectUri = 'urn:idp:authorization-challenge'

export type CodeRequest = {
  accountId: string
  proof: { acr: string; amr: string[] }
  scope: string
  resources: string[]
  codeChallenge: string
  nonce: string | undefined
  jkt: string | null
}

type CodeModel = new (input: object) => { save(): Promise<string> }

/** Writes session, grant and code into the unit of work. Throws `invalid_scope` and `invalid_target`. */
export async function issueCode(
  ctx: KoaContextWithOIDC,
  request: CodeRequest,
  clients: ClientCache,
): Promise<string> {
  const client = ctx.oidc.client as Client
  const asked = [...new Set(request.scope.split(' ').filter((scope) => scope !== ''))]
  const standard = standardOf(client, asked)
  const held: Record<string, string> = {}
  for (const identifier of request.resources) {
    const allowed = allowedApis(client).find((api) => api.identifier === identifier)
    if (!allowed || !(await clients.api(identifier))) {
      throw new errors.InvalidTarget('this client may not use the resource, or it does not exist')
    }
    held[identifier] = asked.filter((name) => allowed.scopes.includes(name)).join(' ')
  }
  const [uid, grantId] = [randomToken(), randomToken()]
  const now = Math.floor(Date.now() / 1000)
  const offline = standard.includes('offline_access')
  writeSession(uid, request, client, grantId, now)
  writeGrant(grantId, { uid, offline, standard, held }, request.accountId, client, now)
  const scope = [...new Set([...standard, ...Object.values(held).flatMap((all) => all.split(' '))])]
  const { AuthorizationCode } = ctx.oidc.provider as unknown as { AuthorizationCode: CodeModel }
  const includesSid = (client as unknown as { includeSid(): boolean }).includeSid()
  const code = new AuthorizationCode({
    accountId: request.accountId,
    ...request.proof,
    authTime: now,
    client,
    codeChallenge: request.codeChallenge,
    codeChallengeMethod: 'S256',
    grantId,
    redirectUri: noRedirectUri,
    scope: scope.filter((name) => name !== '').join(' '),
    sessionUid: uid,
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
    ...(request.resources.length > 0 ? { resource: oneOrAll(request.resources) } : {}),
    ...(request.jkt ? { dpopJkt: request.jkt } : {}),
    ...(offline ? {} : { expiresWithSession: true }),
    ...(includesSid ? { sid: sessionIdFor(uid, client.clientId) } : {}),
  })
  return code.save()
}

/** As the engine judges them at the authorization endpoint; an app of ours needs nobody's consent. */
function standardOf(client: Client, asked: string[]): string[] {
  const may = client.scope?.split(' ') ?? []
  const standard = asked.filter((scope) => standardScopes.includes(scope))
  const beyond = standard.filter((scope) => !may.includes(scope))
  if (beyond.length > 0) {
    throw new errors.InvalidScope('requested scope is not allowed', beyond.join(' '))
  }
  return standard.filter(
    (scope) => scope !== 'offline_access' || client.grantTypeAllowed('refresh_token'),
  )
}

const oneOrAll = (list: string[]) => (list.length === 1 ? list[0] : list)

function writeSession(
  uid: string,
  { accountId, proof }: CodeRequest,
  { clientId }: Client,
  grantId: string,
  now: number,
): void {
  unitOfWork().writes.set('Session', {
    kind: 'insert',
    into: 'sessions',
    row: {
      uid,
      id_hash: sha256(randomToken()),
      account_id: accountId,
      signed_in_at: new Date(now * 1000),
      ...proof,
      transient: false,
      authorizations: { [clientId]: { sid: sessionIdFor(uid, clientId), grantId } },
      rest: { kind: 'Session' },
      created_at: new Date(now * 1000),
      expires_at: new Date((now + lifetimes.sessionIdle) * 1000),
    },
  })
}

function writeGrant(
  id: string,
  {
    uid,
    offline,
    standard,
    held,
  }: { uid: string; offline: boolean; standard: string[]; held: Record<string, string> },
  accountId: string,
  { clientId }: Client,
  now: number,
): void {
  unitOfWork().writes.set(`Grant:${id}`, {
    kind: 'insert',
    into: 'grants',
    row: {
      id,
      account_id: accountId,
      client_id: clientId,
      session_uid: uid,
      scopes: standard,
      claims: [],
      resources: held,
      rest: {},
      offline,
      created_at: new Date(now * 1000),
      expires_at: new Date((now + lifetimes.grant) * 1000),
    },
  })
}
