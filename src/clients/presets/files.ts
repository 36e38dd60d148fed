/** Presets for apps where people keep files, photos, documents and talk about them. */
import { code, codeAndRefresh, frontPage, type Preset, people } from './preset.ts'

export const files: Preset[] = [
  {
    name: 'cloudreve-pro',
    about: 'Cloudreve Pro, its own OpenID Connect sign-in',
    redirectUris: ['{app}/callback/openid/2'],
    postLogoutRedirectUris: frontPage,
    scopes: people,
    // Its documentation names neither PKCE nor nonce.
    pkce: 'optional',
    authMethod: 'client_secret_post',
    applicationType: 'web',
    grantTypes: code,
    setup: `Admin panel > Settings > User session > Third-party sign-in > OIDC
  Client ID           {client_id}
  Client secret       {client_secret}
  Discovery document  {issuer}/.well-known/openid-configuration  (import it)
  Extra scopes        (none needed)`,
    notes: ['Cloudreve copies the discovery document: import it again when the issuer moves.'],
  },
  {
    name: 'cloudreve-bridge',
    about: 'Cloudreve community edition, through the bridge on its own origin',
    redirectUris: ['{app}/sso/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: people,
    pkce: 'required',
    authMethod: 'client_secret_basic',
    applicationType: 'web',
    grantTypes: code,
    setup: `ISSUER={issuer}
CLIENT_ID={client_id}
CLIENT_SECRET={client_secret}
CLOUDREVE_URL={app}`,
    notes: ['The reverse proxy sends {app}/sso/ to the bridge, everything else to Cloudreve.'],
  },
  {
    name: 'nextcloud',
    about: 'Nextcloud with the app user_oidc',
    redirectUris: ['{app}/apps/user_oidc/code', '{app}/index.php/apps/user_oidc/code'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile', 'groups'],
    pkce: 'required',
    authMethod: 'client_secret_post',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `Administration settings > OpenID Connect > Register new provider
  Identifier          idp
  Client ID           {client_id}
  Client secret       {client_secret}
  Discovery endpoint  {issuer}/.well-known/openid-configuration
  Scope               {scope}
  User ID mapping     preferred_username
  Groups mapping      groups
  Use group provisioning  on`,
    notes: [
      'To sign people out of Nextcloud too: idp clients update {client_id} --backchannel-logout-uri {app}/apps/user_oidc/backchannel-logout/idp.',
    ],
  },
  {
    name: 'immich',
    about: 'Immich on the web and on phones',
    redirectUris: ['{app}/auth/login', '{app}/user-settings', 'app.immich:///oauth-callback'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile'],
    pkce: 'required',
    authMethod: 'client_secret_post',
    eitherSecretMethod: true,
    // The phone's private scheme is for native clients alone; https addresses may stand beside it.
    applicationType: 'native',
    grantTypes: code,
    setup: `Administration > Settings > Authentication settings > OAuth
  Issuer URL                  {issuer}
  Client ID                   {client_id}
  Client secret               {client_secret}
  Token endpoint auth method  client_secret_post
  Scope                       {scope}
  Signing algorithm           RS256
  Storage label claim         preferred_username`,
  },
  {
    name: 'outline',
    about: 'Outline, the team wiki',
    redirectUris: ['{app}/auth/oidc.callback'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    pkce: 'required',
    authMethod: 'client_secret_post',
    applicationType: 'web',
    grantTypes: codeAndRefresh,
    setup: `OIDC_CLIENT_ID={client_id}
OIDC_CLIENT_SECRET={client_secret}
OIDC_ISSUER_URL={issuer}
OIDC_USERNAME_CLAIM=preferred_username
OIDC_SCOPES="openid profile email"`,
    notes: [
      'With the separate OIDC_AUTH_URI settings Outline sends no PKCE; use OIDC_ISSUER_URL, or --pkce optional.',
    ],
  },
  {
    name: 'discourse',
    about: 'Discourse, plugin discourse-openid-connect',
    redirectUris: ['{app}/auth/oidc/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile'],
    pkce: 'optional',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `DISCOURSE_OPENID_CONNECT_ENABLED=true
DISCOURSE_OPENID_CONNECT_DISCOVERY_DOCUMENT={issuer}/.well-known/openid-configuration
DISCOURSE_OPENID_CONNECT_CLIENT_ID={client_id}
DISCOURSE_OPENID_CONNECT_CLIENT_SECRET={client_secret}
DISCOURSE_OPENID_CONNECT_AUTHORIZE_SCOPE="{scope}"
DISCOURSE_OPENID_CONNECT_USE_PKCE=true
DISCOURSE_OPENID_CONNECT_RP_INITIATED_LOGOUT=true
DISCOURSE_OPENID_CONNECT_RP_INITIATED_LOGOUT_REDIRECT={app}/`,
  },
]
