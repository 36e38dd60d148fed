/** Presets for the tools of a team and of a school: code, dashboards, models, courses. */
import { code, codeAndRefresh, frontPage, type Preset, people, peopleAndGroups } from './preset.ts'

const forge = {
  redirectUris: ['{app}/user/oauth2/idp/callback'],
  postLogoutRedirectUris: [],
  scopes: ['openid', 'email', 'profile', 'groups'],
  authMethod: 'client_secret_basic',
  eitherSecretMethod: true,
  applicationType: 'web',
  grantTypes: code,
  setup: `Site administration > Identity & access > Authentication sources > Add
  Authentication type     OAuth2
  Authentication name     idp      (part of the redirect URI)
  OAuth2 provider         OpenID Connect
  Client ID (key)         {client_id}
  Client secret           {client_secret}
  Discovery URL           {issuer}/.well-known/openid-configuration
  Additional scopes       email profile groups
  Claim with group names  groups

# app.ini
[oauth2_client]
ENABLE_AUTO_REGISTRATION = true
USERNAME = preferred_username
ACCOUNT_LINKING = login`,
} as const satisfies Partial<Preset>

const shared = { ...forge, redirectUris: [...forge.redirectUris], postLogoutRedirectUris: [] }

export const work: Preset[] = [
  { ...shared, name: 'gitea', about: 'Gitea', pkce: 'optional' },
  { ...shared, name: 'forgejo', about: 'Forgejo', pkce: 'required' },
  {
    name: 'gitlab',
    about: 'GitLab, self-managed',
    redirectUris: ['{app}/users/auth/openid_connect/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: peopleAndGroups,
    pkce: 'required',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `# /etc/gitlab/gitlab.rb
gitlab_rails['omniauth_allow_single_sign_on'] = ['openid_connect']
gitlab_rails['omniauth_block_auto_created_users'] = false
gitlab_rails['omniauth_providers'] = [{
  name: 'openid_connect',
  label: 'Single sign-on',
  args: {
    name: 'openid_connect',
    scope: ['openid', 'profile', 'email'],
    response_type: 'code',
    issuer: '{issuer}',
    discovery: true,
    client_auth_method: 'basic',
    uid_field: 'sub',
    pkce: true,
    client_options: {
      identifier: '{client_id}',
      secret: '{client_secret}',
      redirect_uri: '{redirect_uri}'
    }
  }
}]`,
    notes: ['Groups are read by GitLab Premium only; add them to scope there.'],
  },
  {
    name: 'grafana',
    about: 'Grafana, generic OAuth',
    redirectUris: ['{app}/login/generic_oauth'],
    postLogoutRedirectUris: [...frontPage, '{app}/login'],
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    pkce: 'required',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: codeAndRefresh,
    setup: `GF_AUTH_GENERIC_OAUTH_ENABLED=true
GF_AUTH_GENERIC_OAUTH_NAME="Single sign-on"
GF_AUTH_GENERIC_OAUTH_CLIENT_ID={client_id}
GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET={client_secret}
GF_AUTH_GENERIC_OAUTH_SCOPES="openid profile email groups"
GF_AUTH_GENERIC_OAUTH_AUTH_URL={issuer}/oauth2/authorize
GF_AUTH_GENERIC_OAUTH_TOKEN_URL={issuer}/oauth2/token
GF_AUTH_GENERIC_OAUTH_API_URL={issuer}/oauth2/userinfo
GF_AUTH_GENERIC_OAUTH_USE_PKCE=true
GF_AUTH_GENERIC_OAUTH_LOGIN_ATTRIBUTE_PATH=preferred_username
GF_AUTH_GENERIC_OAUTH_NAME_ATTRIBUTE_PATH=name
GF_AUTH_GENERIC_OAUTH_GROUPS_ATTRIBUTE_PATH=groups
GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_PATH="contains(groups[*], 'admin') && 'Admin' || 'Viewer'"
GF_AUTH_SIGNOUT_REDIRECT_URL={issuer}/oauth2/logout?client_id={client_id}&post_logout_redirect_uri={app}/login`,
    notes: [
      'For tokens that refresh: add offline_access to the scopes and set GF_AUTH_GENERIC_OAUTH_USE_REFRESH_TOKEN=true.',
    ],
  },
  {
    name: 'open-webui',
    about: 'Open WebUI',
    redirectUris: ['{app}/oauth/oidc/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile', 'groups'],
    pkce: 'required',
    authMethod: 'client_secret_basic',
    applicationType: 'web',
    grantTypes: code,
    setup: `WEBUI_URL={app}
ENABLE_OAUTH_SIGNUP=true
OAUTH_PROVIDER_NAME="Single sign-on"
OPENID_PROVIDER_URL={issuer}/.well-known/openid-configuration
OPENID_REDIRECT_URI={redirect_uri}
OAUTH_CLIENT_ID={client_id}
OAUTH_CLIENT_SECRET={client_secret}
OAUTH_SCOPES="{scope}"
OAUTH_CODE_CHALLENGE_METHOD=S256
ENABLE_OAUTH_GROUP_MANAGEMENT=true
OAUTH_GROUP_CLAIM=groups`,
  },
  {
    name: 'moodle',
    about: 'Moodle, its own OAuth 2 services',
    redirectUris: ['{app}/admin/oauth2callback.php'],
    postLogoutRedirectUris: [],
    scopes: people,
    pkce: 'optional',
    authMethod: 'client_secret_post',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `Site administration > Server > OAuth 2 services > Create new custom service
  Client ID         {client_id}
  Client secret     {client_secret}
  Service base URL  {issuer}
  Scopes included in a login request  {scope}
  User field mappings  sub: idnumber, preferred_username: username`,
  },
  {
    name: 'moodle-auth-oidc',
    about: 'Moodle with the plugin auth_oidc',
    redirectUris: ['{app}/auth/oidc/'],
    postLogoutRedirectUris: frontPage,
    scopes: people,
    pkce: 'optional',
    authMethod: 'client_secret_post',
    applicationType: 'web',
    grantTypes: code,
    // It asks every provider for Microsoft Graph.
    ignoresUnknownResource: true,
    setup: `Site administration > Plugins > Authentication > OpenID Connect
  Identity provider type   Other
  Client ID                {client_id}
  Client secret            {client_secret}
  Authorization endpoint   {issuer}/oauth2/authorize
  Token endpoint           {issuer}/oauth2/token
  Logout endpoint          {issuer}/oauth2/logout
  Scope                    {scope}`,
  },
]
