/** Our own pages as an app: signing in to the account area is an authorization request like any other. */
import type { StoredClient } from '../clients/clients.ts'
import { noPolicy } from '../clients/policy.ts'

/** Where somebody may come back to after signing in for our own pages, by the name that `/sign-in?to=` gives it. */
export const accountPages = {
  home: '/account',
  requests: '/account/requests',
  profile: '/account/profile',
  security: '/account/security',
  devices: '/account/devices',
  apps: '/account/apps',
  activity: '/account/activity',
  data: '/account/data',
  password: '/account/password',
  passkeys: '/account/passkeys',
  authenticators: '/account/authenticators',
  providers: '/account/providers',
  address: '/account/address',
  delete: '/account/delete',
} as const satisfies Record<string, `/account${string}`>

export type AccountPage = keyof typeof accountPages

/** Cannot be taken by a registered app: those ids never hold a dot. */
export const accountClientId = 'account.pages'

export function accountClient(issuer: string, named: { readonly brandName: string }): StoredClient {
  const metadata = {
    client_id: accountClientId,
    client_id_issued_at: 0,
    redirect_uris: Object.values(accountPages).map((path) => issuer + path),
    response_types: ['code'],
    grant_types: ['authorization_code'],
    application_type: 'web',
    token_endpoint_auth_method: 'none',
    scope: 'openid',
  }
  return {
    ...noPolicy,
    id: accountClientId,
    get name() {
      return named.brandName
    },
    preset: 'web',
    metadata: metadata as unknown as StoredClient['metadata'],
    firstParty: true,
    pkceRequired: true,
    ignoresUnknownResource: false,
    apis: [],
    policyGrants: [],
    registeredWith: null,
    access: null,
    secrets: [],
    authMethods: ['none'],
    disabledAt: null,
    createdAt: new Date(0),
    updatedAt: new Date(0),
  }
}
