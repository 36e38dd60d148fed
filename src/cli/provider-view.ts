/** A provider as people are shown it: never its secret. */
import { callbackPath } from '../federation/exchange.ts'
import { formatRule } from '../federation/provider-json.ts'
import type { Provider } from '../federation/providers.ts'
import { stamp } from './client-view.ts'

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
    ['Roles', roleMap.length > 0 ? roleMap.map(formatRule) : 'none'],
    ['State', provider.enabled ? 'enabled' : 'disabled'],
    ['Redirect URI', ourIssuer + callbackPath(id)],
    ['Logout URI', `${ourIssuer}/sign-in/backchannel-logout/${id}`],
    ['Since', stamp(provider.createdAt)],
  ]
}
