/** A provider as commands show it: never its secret, only whether there is one. */
import { callbackPath } from '../federation/exchange.ts'
import type { Provider, RoleRule } from '../federation/providers.ts'
import { stamp } from './client-view.ts'

const rule = ({ claim, value, role }: RoleRule) => `${claim}:${value}=${role}`

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
    role_map: roleMap.map(rule),
    enabled: provider.enabled,
    redirect_uri: ourIssuer + callbackPath(id),
    backchannel_logout_uri: `${ourIssuer}/sign-in/backchannel-logout/${id}`,
    created_at: provider.createdAt.toISOString(),
    updated_at: provider.updatedAt.toISOString(),
  }
}

export function providerFields(
  provider: Provider,
  ourIssuer: string,
): [string, string | string[]][] {
  const { id, preset, name, issuer, clientId, scope, trustEmail, tenants, roleMap } = provider
  return [
    ['Id', id],
    ['Preset', preset],
    ['Name', name],
    ['Issuer', issuer],
    ['Client id', clientId],
    ...(provider.appleTeamId
      ? ([['Apple', `team ${provider.appleTeamId}, key ${provider.appleKeyId}`]] as [
          string,
          string,
        ][])
      : []),
    ['Scope', scope],
    ['Addresses', trustEmail ? 'believed when it calls them verified' : 'proven by a mail from us'],
    ...(tenants.length > 0 ? ([['Tenants', tenants]] as [string, string[]][]) : []),
    ['Roles', roleMap.length > 0 ? roleMap.map(rule) : 'none'],
    ['State', provider.enabled ? 'enabled' : 'disabled'],
    ['Redirect URI', ourIssuer + callbackPath(id)],
    ['Logout URI', `${ourIssuer}/sign-in/backchannel-logout/${id}`],
    ['Since', stamp(provider.createdAt)],
  ]
}
