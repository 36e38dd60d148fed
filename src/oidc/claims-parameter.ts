/**
 * The `claims` parameter (OpenID Connect Core §5.5) beyond what the engine checks: how deep it goes, and that an app of
 * ours asks for nothing that its scope does not reach.
 */
import { type Client, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { jsonDepth } from '../json-depth.ts'
import { claimsByScope } from './claims.ts'

/** `{"id_token": {"acr": {"values": ["…"]}}}` is four; a member of somebody's own may hold a little more. */
const deepest = 20

/**
 * The engine's validator of the parameter. What is nested without end would end our stack when it is written again. An
 * app of ours, for which nobody is asked, gets nothing by a claim that it may not ask for by a scope: such claims are left
 * out like those that we do not know (§5.5). Of others the person decides.
 */
export async function judgeClaims(
  ctx: KoaContextWithOIDC,
  claims: unknown,
  client: Client,
): Promise<void> {
  const { params } = ctx.oidc
  if (typeof claims !== 'string' || !params) return
  if (jsonDepth(claims) > deepest) {
    throw new errors.InvalidRequest('claims parameter is nested too deeply')
  }
  if (client.first_party !== true || client.scope === undefined) return
  const beyond = claimsBeyond(client.scope.split(' '))
  const asked = JSON.parse(claims) as Record<string, Record<string, unknown> | undefined>
  for (const place of ['userinfo', 'id_token']) {
    for (const name of Object.keys(asked[place] ?? {})) {
      if (beyond.has(name)) delete asked[place]?.[name]
    }
  }
  params.claims = JSON.stringify(asked)
}

function claimsBeyond(scopes: string[]): Set<string> {
  const others = Object.entries(claimsByScope).filter(([scope]) => !scopes.includes(scope))
  return new Set(others.filter(([scope]) => scope !== 'openid').flatMap(([, names]) => names))
}
