/**
 * Who may have what without asking again. A person's consent is remembered across sessions and devices in
 * its own table; the engine's Grant belongs to one session and one app, so that ending one ends no other.
 */
import type { Grant as GrantModel, KoaContextWithOIDC } from 'oidc-provider'
import type { Row } from '../sessions/artefacts.ts'
import type { Found } from '../sessions/reads.ts'

/** Scopes of OpenID, claims asked for by name, and scopes by API. */
export type Wanted = { scopes: string[]; claims: string[]; resources: Record<string, string[]> }

/** Claims that come with any sign-in and need nobody's leave (OpenID Connect Core §2). */
const ungated = new Set(['sub', 'sid', 'auth_time', 'acr', 'amr', 'iss'])

/** The names in a `claims` parameter that was checked, without those that need nobody's leave. */
export function claimsOf(parameter: string | undefined): string[] {
  const { id_token: token, userinfo } = JSON.parse(parameter ?? '{}') as Record<string, object>
  const names = [...Object.keys(token ?? {}), ...Object.keys(userinfo ?? {})]
  return [...new Set(names)].filter((claim) => !ungated.has(claim))
}

/** What this request asks for, of what exists. */
export function wantedBy(ctx: KoaContextWithOIDC): Wanted {
  const { oidc } = ctx
  const asked = oidc.requestParamScopes
  const resources = Object.entries(oidc.resourceServers ?? {}).map(([identifier, server]) => {
    const offered = new Set(server.scope.split(' '))
    return [identifier, [...asked].filter((scope) => offered.has(scope))] as const
  })
  return {
    scopes: [...oidc.requestParamOIDCScopes],
    claims: [...oidc.requestParamClaims].filter((claim) => !ungated.has(claim)),
    resources: Object.fromEntries(resources),
  }
}

/** What of `wanted` the person has allowed this app before. */
export function remembered(wanted: Wanted, consent: Row | undefined): Wanted {
  if (!consent) return { scopes: [], claims: [], resources: {} }
  const scopes = new Set(consent.scopes as string[])
  const claims = new Set(consent.claims as string[])
  const resources = consent.resources as Record<string, string>
  return {
    scopes: wanted.scopes.filter((scope) => scopes.has(scope)),
    claims: wanted.claims.filter((claim) => claims.has(claim)),
    resources: Object.fromEntries(
      Object.entries(wanted.resources).map(([identifier, asked]) => {
        const allowed = new Set((resources[identifier] ?? '').split(' '))
        return [identifier, asked.filter((scope) => allowed.has(scope))]
      }),
    ),
  }
}

type Grant = InstanceType<typeof GrantModel>

/** What of `allowed` the grant does not hold yet. */
function missing(grant: Grant | undefined, allowed: Wanted): Wanted {
  if (!grant) return allowed
  const scopes = new Set(grant.getOIDCScope().split(' '))
  const claims = new Set(grant.getOIDCClaims())
  return {
    scopes: allowed.scopes.filter((scope) => !scopes.has(scope)),
    claims: allowed.claims.filter((claim) => !claims.has(claim)),
    resources: Object.fromEntries(
      Object.entries(allowed.resources).map(([identifier, asked]) => {
        const held = new Set(grant.getResourceScope(identifier).split(' '))
        return [identifier, asked.filter((scope) => !held.has(scope))]
      }),
    ),
  }
}

/** What of `wanted` is not among `allowed`. */
function without(wanted: Wanted, allowed: Wanted): Wanted {
  const rest = (all: string[], some: string[] = []) => all.filter((name) => !some.includes(name))
  return {
    scopes: rest(wanted.scopes, allowed.scopes),
    claims: rest(wanted.claims, allowed.claims),
    resources: Object.fromEntries(
      Object.entries(wanted.resources).map(([identifier, asked]) => [
        identifier,
        rest(asked, allowed.resources[identifier]),
      ]),
    ),
  }
}

function isEmpty(wanted: Wanted): boolean {
  const { scopes, claims, resources } = wanted
  return [scopes, claims, ...Object.values(resources)].every((list) => list.length === 0)
}

/**
 * The engine's `loadExistingGrant`: the session's grant for this app, widened by what the person has
 * consented to before, or by everything where the app is our own. Undefined when nothing is allowed yet.
 */
export async function loadGrant(ctx: KoaContextWithOIDC, found: Found): Promise<Grant | undefined> {
  const { oidc } = ctx
  const { client, account, session, provider } = oidc
  if (!client || !account || !session) return undefined
  const grantId = session.grantIdFor(client.clientId)
  const existing = grantId ? await provider.Grant.find(grantId) : undefined
  const own =
    existing?.accountId === account.accountId && existing.clientId === client.clientId
      ? existing
      : undefined
  const wanted = wantedBy(ctx)
  const consent = found.consent?.account_id === account.accountId ? found.consent : undefined
  const allowed = client.first_party === true ? wanted : remembered(wanted, consent)
  // Each device has a grant of its own, or signing one out would sign out all.
  const ofDevice = oidc.entities.DeviceCode !== undefined
  if (ofDevice && !isEmpty(without(wanted, allowed))) return undefined
  const held = ofDevice ? undefined : own
  const added = missing(held, allowed)
  // What is asked for in detail hangs on a grant too, though nothing of it is kept there.
  const inDetail = oidc.params?.authorization_details !== undefined && oidc.result?.consent
  if (isEmpty(added) && (held || !inDetail)) return own

  const grant =
    held ?? new provider.Grant({ accountId: account.accountId, clientId: client.clientId })
  if (added.scopes.length > 0) grant.addOIDCScope(added.scopes.join(' '))
  if (added.claims.length > 0) grant.addOIDCClaims(added.claims)
  for (const [identifier, scopes] of Object.entries(added.resources)) {
    if (scopes.length > 0) grant.addResourceScope(identifier, scopes.join(' '))
  }
  await grant.save()
  return grant
}
