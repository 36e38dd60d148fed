/** The `claims` parameter (OpenID Connect Core §5.5) beyond what the engine checks: how deep it goes. */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'

/** `{"id_token": {"acr": {"values": ["…"]}}}` is four; a member of somebody's own may hold a little more. */
const deepest = 20

/** The engine's validator of the parameter. What is nested without end would end our stack when it is written again. */
export async function refuseDeepClaims(_ctx: KoaContextWithOIDC, claims: unknown): Promise<void> {
  if (typeof claims === 'string' && depthOf(claims) > deepest) {
    throw new errors.InvalidRequest('claims parameter is nested too deeply')
  }
}

/** How deep JSON is nested, without reading it. */
export function depthOf(json: string): number {
  let depth = 0
  let most = 0
  let quoted = false
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (quoted) {
      if (character === '\\') at++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '{' || character === '[') most = Math.max(most, ++depth)
    else if (character === '}' || character === ']') depth--
  }
  return most
}
