/**
 * Sign-ins as strong as the app asks (OpenID Connect Core §5.5.1.1, RFC 9470), in the engine's words. What is asked for
 * and cannot be reached by anybody's means is refused at once (Unmet Authentication Requirements 1.0); what comes next
 * is decided in credentials/step-up.ts.
 */
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { isLevel, type Level, reaches } from '../clients/levels.ts'
import { nextStep, type Step } from '../credentials/sign-in-policy.ts'
import {
  type Asked,
  type Factor,
  levelOf,
  nextFactor,
  offeredFactors,
  reachableLevels,
  shortfall,
} from '../credentials/step-up.ts'
import type { SignInPolicies } from './sign-in-policies.ts'

const { Check } = interactionPolicy

/** What the check asks of the rest of the house. */
export type StepUp = {
  policies: Pick<SignInPolicies, 'at' | 'factorsOf'>
  /** Whether this browser stands for a second factor of that person's. */
  isRemembered(ctx: KoaContextWithOIDC, accountId: string): Promise<boolean>
}

/** For discovery and default values of clients: what somebody can reach. */
export const supportedLevels: Level[] = reachableLevels(offeredFactors)

/** Stands where the engine compares letter by letter and knows no order. */
export function stepUpCheck(stepUp?: StepUp) {
  const factorOf = new WeakMap<KoaContextWithOIDC, Factor | 'enrol'>()
  return new Check(
    'acr',
    'a stronger sign-in is required',
    'login_required',
    async (ctx) => {
      const asked = askedBy(ctx)
      const accountId = ctx.oidc.session?.accountId
      const next = accountId
        ? await nextFor(ctx, stepUp, accountId, asked)
        : nextFactor({ asked, amr: [], available: offeredFactors })
      if (next.kind === 'unreachable' && asked) {
        throw new errors.UnmetAuthenticationRequirements(
          'nobody can sign in here as strongly as the app requires',
          `essential acr ${asked.values.join(' ').slice(0, 100)}`,
        )
      }
      if (next.kind === 'enough') tell(ctx, next.acr)
      if (next.kind === 'enrol') factorOf.set(ctx, 'enrol')
      if (next.kind === 'ask') factorOf.set(ctx, next.factor)
      // Whoever is not known is asked anyway, and gives the rest on our pages.
      return factorOf.has(ctx) && accountId ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    },
    (ctx) => (factorOf.has(ctx) ? { factor: factorOf.get(ctx) } : {}),
  )
}

/** What is in the session is enough for most requests, and then the database is asked nothing. */
async function nextFor(
  ctx: KoaContextWithOIDC,
  stepUp: StepUp | undefined,
  accountId: string,
  asked: Asked | undefined,
): Promise<Step> {
  const { session, client, result } = ctx.oidc
  const amr = (session?.amr as string[] | undefined) ?? []
  if (!stepUp || !client) return nextFactor({ asked, amr, available: offeredFactors })
  const reached = levelOf(amr)
  const policy = await stepUp.policies.at(client.clientId)
  // What `enrolled` and `new-device` ask is asked when somebody signs in.
  const always = policy.when === 'always' && !(reached && reaches(reached, '2fa'))
  const without = nextFactor({ asked, amr, available: [] })
  if (!always && without.kind === 'enough' && isAnswer(without.acr, asked)) return without
  const next = nextStep({
    asked,
    amr,
    available: await stepUp.policies.factorsOf(accountId, client.clientId),
    policy: { when: always ? 'always' : 'asked' },
    knownDevice: true,
    remembered: always && (await stepUp.isRemembered(ctx, accountId)),
  })
  // Whoever was asked once in this request and went on without has said no to a wish.
  const refused = next.kind === 'ask' && result?.login !== undefined && !asked?.essential && !always
  return refused && reached ? { kind: 'enough', acr: reached } : next
}

/** A wish for nothing that we know is answered by anything. */
function isAnswer(acr: Level, asked: Asked | undefined): boolean {
  const wished = asked?.values.filter(isLevel) ?? []
  return wished.length === 0 || wished.some((level) => reaches(acr, level))
}

/** An app compares letter by letter: it is told the value that it asked for, where more was proven. */
function tell(ctx: KoaContextWithOIDC, acr: Level): void {
  if (ctx.oidc.session?.acr === acr) return
  Object.defineProperty(ctx.oidc, 'acr', { value: acr, configurable: true })
}

type AcrRequest = { essential?: unknown; value?: unknown; values?: unknown } | null

function askedBy({ oidc }: KoaContextWithOIDC): Asked | undefined {
  return askedIn(oidc.params as AcrParameters)
}

type AcrParameters = { claims?: string | undefined; acr_values?: string | undefined }

/** An essential claim counts before `acr_values`, which the engine would put in its place. */
export function askedIn({ claims, acr_values: preferred }: AcrParameters): Asked | undefined {
  const request = claimOf(claims)
  const values = valuesOf(request)
  if (request?.essential === true && values) return { values, essential: true }
  const wished = preferred ? preferred.split(' ').filter((value) => value !== '') : values
  return wished && { values: wished, essential: false }
}

/** Undefined where the claim names no value. */
function valuesOf(request: AcrRequest | undefined): string[] | undefined {
  const { value, values } = request ?? {}
  if (values !== undefined && !Array.isArray(values)) {
    throw new errors.InvalidRequest('invalid claims.id_token.acr.values type')
  }
  const all = (values ?? (value === undefined ? undefined : [value])) as unknown[] | undefined
  return all?.map(String)
}

function claimOf(claims: string | undefined): AcrRequest | undefined {
  if (claims === undefined) return undefined
  // The engine has read it before.
  const parsed = JSON.parse(claims) as { id_token?: { acr?: AcrRequest } }
  return parsed.id_token?.acr
}

/**
 * Asked when userinfo looks for the person of a token: throws `insufficient_user_authentication` (RFC 9470 §3) where
 * the client's policy demands more than stands behind the token.
 */
export function demandSignIn(ctx: KoaContextWithOIDC): void {
  const { client, route } = ctx.oidc
  if (route !== 'userinfo' || !client) return
  const { extra } = (ctx.oidc.entities.AccessToken ?? {}) as { extra?: Record<string, unknown> }
  const lacks = shortfall(
    { acr: extra?.acr, authTime: extra?.auth_time },
    {
      acr: client.userinfo_acr as Level | undefined,
      maxAgeSeconds: client.userinfo_max_age as number | undefined,
    },
  )
  if (!lacks) return
  ctx.state.challenge = lacks
  const error = new errors.CustomOIDCProviderError(
    'insufficient_user_authentication',
    lacks.acr_values ? 'a stronger sign-in is required' : 'a more recent sign-in is required',
  )
  throw Object.assign(error, { status: 401, statusCode: 401 })
}

/** Throws where nobody could ever answer as strongly as the app requires, before anybody is disturbed. */
export function assertReachable(ctx: KoaContextWithOIDC): void {
  const asked = askedBy(ctx)
  if (nextFactor({ asked, amr: [], available: offeredFactors }).kind !== 'unreachable') return
  throw new errors.UnmetAuthenticationRequirements(
    'nobody can sign in here as strongly as the app requires',
  )
}

/** What the app of a question is told of this session; undefined where it is not enough for what it requires. */
export function levelFor(parameters: AcrParameters, amr: readonly string[]): Level | undefined {
  const asked = askedIn(parameters)
  const next = nextFactor({ asked, amr, available: offeredFactors })
  if (next.kind === 'enough') return next.acr
  return asked?.essential ? undefined : levelOf(amr)
}

/** What the app is to ask for, behind the engine's own words. */
export function completeChallenge(ctx: {
  state: { challenge?: Record<string, string | number> }
  response: { get(name: string): string | string[] }
  set(name: string, value: string): void
}): void {
  const { challenge } = ctx.state
  if (!challenge) return
  const header = [ctx.response.get('WWW-Authenticate')].flat().join(', ')
  const more = Object.entries(challenge).map(([name, value]) => `${name}="${value}"`)
  ctx.set('WWW-Authenticate', [header, ...more].join(', '))
}
