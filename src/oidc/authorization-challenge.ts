/**
 * Native sign-in for apps of our own that an admin has switched it on for (OAuth 2.0 for First-Party Applications,
 * draft-ietf-oauth-first-party-apps): the app asks for the password itself. The request goes through the engine's token
 * endpoint, whose client authentication is the only one there is, under a grant type that nobody can ask for.
 */
import type { Context } from 'koa'
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { nextStep } from '../credentials/sign-in-policy.ts'
import { proofOf } from '../credentials/step-up.ts'
import type { Queryable } from '../sessions/reads.ts'
import { createAuthSession, spendAuthSession } from './auth-sessions.ts'
import { type CodeRequest, issueCode, noRedirectUri } from './challenge-code.ts'
import type { ClientCache } from './client-cache.ts'
import { demandEntry } from './entry.ts'
import type { FindCertificate } from './mutual-tls.ts'
import { isOriginOf } from './origins.ts'
import { provePossession } from './possession.ts'
import { replayForm } from './replayed-form.ts'
import type { SignInPolicies } from './sign-in-policies.ts'

export const challengePath = '/oauth2/authorize-challenge'
export const challengeGrant = 'urn:idp:grant-type:authorization-challenge'

const kept = [
  'response_type',
  'scope',
  'resource',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'acr_values',
  'max_age',
  'login_hint',
] as const
export const challengeParameters = [...kept, 'auth_session', 'username', 'password']
/** What our pages can do and an app cannot: the person goes on in the browser. */
const forTheWeb = [
  'prompt',
  'claims',
  'request',
  'request_uri',
  'authorization_details',
  'id_token_hint',
]
const longestParameters = 4096

/** Who has given the right password, or undefined, in the same time. Throws 429 and 503. */
export type CheckPassword = (
  ctx: Context,
  given: { identifier: string; password: string },
) => Promise<{ id: string; status: string } | undefined>

type Deps = {
  issuer: string
  pool: Queryable
  clients: ClientCache
  findCertificate: FindCertificate
  checkPassword: CheckPassword
  policies: Pick<SignInPolicies, 'at' | 'factorsOf'>
}

/** Before the engine: the request as one of its token endpoint. Nothing may name the grant type from outside. */
export function beginChallenge(ctx: Context, form: [string, string][]): void {
  const fields = form.filter(([name]) => name !== 'grant_type')
  ctx.state.challengeRequest = { web: fields.some(([name]) => forTheWeb.includes(name)) }
  replayForm(ctx, new URLSearchParams([...fields, ['grant_type', challengeGrant]]))
}

/** Answers the request, and gives whose code it issued. Throws the errors of §5.2.2.1. */
export function createChallenge(deps: Deps) {
  return async (ctx: KoaContextWithOIDC): Promise<{ accountId: string; amr: string[] }> => {
    const asked = (ctx as unknown as Context).state.challengeRequest
    const client = ctx.oidc.client as Client
    if (!asked) throw new errors.UnsupportedGrantType()
    ;(ctx as unknown as Context).state.clientId = client.clientId
    if (!mayChallenge(client)) {
      throw new errors.UnauthorizedClient('this client may not ask for passwords itself')
    }
    // A page of somebody else's would have its visitors guess, until their own address is a suspect's. Browsers say from
    // where they post, and apps are no browsers.
    const origin = ctx.get('Origin')
    if (origin !== '' && !isOriginOf(client, origin)) {
      throw new errors.InvalidRequest('this page is none of the app')
    }
    const given = (ctx.oidc.params ?? {}) as Record<string, string | undefined>
    // A proof names the address that the app has called, which the engine takes for its token endpoint.
    Object.defineProperty(ctx.oidc, 'urlFor', { value: () => `${deps.issuer}${challengePath}` })
    const { jkt = null } = await provePossession(ctx, deps.findCertificate)
    if (asked.web) throw toWeb('this request needs a browser')
    const parameters = await parametersOf(client, given, jkt)
    const { username, password } = given
    if (!username || !password) {
      throw await goOn(client, { parameters, jkt }, 'username and password are required')
    }
    const account = await deps.checkPassword(ctx as unknown as Context, {
      identifier: username,
      password,
    })
    if (!account) {
      throw await goOn(client, { parameters, jkt }, 'username or password is wrong')
    }
    // Only who has just given the password learns this.
    if (account.status === 'disabled') throw new errors.AccessDenied('the account is disabled')
    if (account.status !== 'active') throw toWeb('the account is not complete yet')
    await demandEntry(deps, client.clientId, account.id)
    const wished = (client.defaultAcrValues as string[] | undefined)?.join(' ')
    const proof = await enough(client.clientId, account.id, parameters.acr_values ?? wished)
    const code = await issueCode(
      ctx,
      { ...requestOf(parameters), accountId: account.id, proof, jkt },
      deps.clients,
    )
    ctx.body = { authorization_code: code }
    return { accountId: account.id, amr: proof.amr }
  }

  /** Of this request, or of the one before it, which is used up by this. */
  async function parametersOf(
    client: Client,
    given: Record<string, string | string[] | undefined>,
    jkt: string | null,
  ): Promise<Record<string, string | string[]>> {
    const now = Object.fromEntries(
      kept.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
    ) as Record<string, string | string[]>
    const { auth_session: value } = given
    const before =
      value === undefined
        ? undefined
        : await spendAuthSession(deps.pool, String(value), { clientId: client.clientId, jkt })
    if (value !== undefined && !before) {
      throw new errors.CustomOIDCProviderError(
        'invalid_session',
        'auth_session is not valid any more',
      )
    }
    // What was asked at the beginning is not widened on the way.
    const whole = before?.parameters ?? now
    checkParameters(whole)
    return whole
  }

  /**
   * A password is one factor. Where more is asked, by the app or by the operator, our pages ask for it; of an app's own
   * page nobody knows in which browser it is.
   */
  async function enough(
    clientId: string,
    accountId: string,
    acrValues: string | string[] | undefined,
  ): Promise<{ acr: string; amr: string[] }> {
    const proof = proofOf(['pwd'])
    const values = String(acrValues ?? '')
      .split(' ')
      .filter((value) => value !== '')
    const next = nextStep({
      asked: values.length > 0 ? { values, essential: false } : undefined,
      amr: proof.amr,
      available: await deps.policies.factorsOf(accountId, clientId),
      policy: await deps.policies.at(clientId),
      knownDevice: false,
      remembered: false,
    })
    if (next.kind !== 'enough') throw toWeb('a stronger sign-in is asked for')
    return proof
  }

  async function goOn(
    client: Client,
    session: { parameters: Record<string, string | string[]>; jkt: string | null },
    description: string,
  ) {
    const value = await createAuthSession(deps.pool, client.clientId, session)
    return forbidden('insufficient_authorization', description, value)
  }
}

/** A client of ours, switched on, and held to nothing that only a browser's request can keep. */
export function mayChallenge(client: Client): boolean {
  return (
    client.first_party === true &&
    client.authorization_challenge === true &&
    !client.profile &&
    client.grantTypeAllowed('authorization_code')
  )
}

/** Throws `invalid_request`; PKCE is what keeps a code to the one who asked for it. */
function checkParameters(parameters: Record<string, string | string[]>): void {
  const {
    response_type: type,
    code_challenge: challenge,
    code_challenge_method: method,
  } = parameters
  if (type !== 'code') throw new errors.InvalidRequest('response_type must be code')
  if (
    typeof challenge !== 'string' ||
    !/^[A-Za-z0-9_-]{43}$/.test(challenge) ||
    method !== 'S256'
  ) {
    throw new errors.InvalidRequest('code_challenge with code_challenge_method S256 is required')
  }
  if (JSON.stringify(parameters).length > longestParameters) {
    throw new errors.InvalidRequest('the parameters are too long')
  }
}

function requestOf(
  parameters: Record<string, string | string[]>,
): Omit<CodeRequest, 'accountId' | 'proof' | 'jkt'> {
  const { scope, resource, code_challenge: codeChallenge, nonce } = parameters
  return {
    scope: String(scope ?? ''),
    resources: [resource ?? []].flat(),
    codeChallenge: String(codeChallenge),
    nonce: nonce === undefined ? undefined : String(nonce),
  }
}

function toWeb(description: string) {
  return forbidden('redirect_to_web', description)
}

/** 403, as §5.2.2.1 wants it. */
function forbidden(error: string, description: string, authSession?: string) {
  const refusal = new errors.CustomOIDCProviderError(error, description)
  return Object.assign(refusal, { status: 403, statusCode: 403, authSession })
}

/** The engine's answer to an error holds no members of ours. */
export function addAuthSession(ctx: KoaContextWithOIDC, error: unknown): void {
  const { authSession } = error as { authSession?: string }
  if (authSession) ctx.state.authSession = authSession
}

/**
 * A code that came without a redirect URI is redeemed without one (§6). Asked by the engine before it reads the
 * parameters of the grant, which it would refuse otherwise.
 */
export function fillRedirectUri(client: Client, params: Record<string, unknown> | undefined): void {
  if (client.authorization_challenge !== true || params?.grant_type !== 'authorization_code') return
  params.redirect_uri ??= noRedirectUri
}
