/** A provider as programs see it: never its secret. */
import { callbackPath } from './exchange.ts'
import type { Provider, RoleRule } from './providers.ts'

export function formatRule({ claim, value, role }: RoleRule): string {
  return `${claim}:${value}=${role}`
}

/** The claim's name may hold colons (`cognito:groups`), so the last one before the sign counts. */
export function parseRule(text: string): RoleRule | undefined {
  const match = /^(.+):([^:]*)=([^=]*)$/.exec(text)
  if (!match) return undefined
  const [, claim = '', value = '', role = ''] = match
  return { claim, value, role }
}

export function providerJson(provider: Provider, ourIssuer: string) {
  const { id, preset, name, issuer, clientId, scope, trustEmail, tenants, roleMap } = provider
  return {
    id,
    preset,
    name,
    issuer,
    client_id: clientId,
    ...(provider.appleTeamId ? { team_id: provider.appleTeamId, key_id: provider.appleKeyId } : {}),
    scope,
    trust_email: trustEmail,
    ...(tenants.length > 0 ? { allowed_tenants: tenants } : {}),
    role_map: roleMap.map(formatRule),
    enabled: provider.enabled,
    redirect_uri: ourIssuer + callbackPath(id),
    backchannel_logout_uri: `${ourIssuer}/sign-in/backchannel-logout/${id}`,
    created_at: provider.createdAt.toISOString(),
    updated_at: provider.updatedAt.toISOString(),
  }
}
