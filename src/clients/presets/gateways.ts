/** Presets for what stands in front of apps: proxies, API gateways, clusters. */
import { code, codeAndRefresh, frontPage, type Preset, people } from './preset.ts'

export const gateways: Preset[] = [
  {
    name: 'oauth2-proxy',
    about: 'oauth2-proxy in front of an app without sign-in',
    redirectUris: ['{app}/oauth2/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile', 'groups'],
    pkce: 'required',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `# oauth2-proxy.cfg
provider = "oidc"
oidc_issuer_url = "{issuer}"
client_id = "{client_id}"
client_secret = "{client_secret}"
redirect_url = "{redirect_uri}"
scope = "{scope}"
code_challenge_method = "S256"
email_domains = ["*"]
oidc_groups_claim = "groups"
# allowed_groups = ["staff"]`,
  },
  {
    name: 'traefik-forward-auth',
    about: 'traefik-forward-auth; reads the address from the ID token',
    redirectUris: ['{app}/_oauth'],
    postLogoutRedirectUris: [],
    scopes: people,
    pkce: 'optional',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `DEFAULT_PROVIDER=oidc
PROVIDERS_OIDC_ISSUER_URL={issuer}
PROVIDERS_OIDC_CLIENT_ID={client_id}
PROVIDERS_OIDC_CLIENT_SECRET={client_secret}
# SECRET=(a random string of its own, for its cookies)`,
    notes: [
      'Every host it guards needs its own redirect URI, unless AUTH_HOST gathers them on one.',
    ],
  },
  {
    name: 'apisix',
    about: 'Apache APISIX, plugin openid-connect',
    redirectUris: ['{app}/.apisix/redirect'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile'],
    pkce: 'required',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: code,
    setup: `plugins:
  openid-connect:
    discovery: {issuer}/.well-known/openid-configuration
    client_id: {client_id}
    client_secret: {client_secret}
    redirect_uri: {redirect_uri}
    scope: {scope}
    use_pkce: true
    token_endpoint_auth_method: client_secret_basic
    session:
      secret: (a random string of its own)`,
  },
  {
    name: 'kubernetes',
    about: 'kubectl with kubelogin, and the API server that reads its ID tokens',
    redirectUris: ['http://localhost:8000', 'http://localhost:18000'],
    postLogoutRedirectUris: [],
    scopes: ['openid', 'email', 'groups', 'offline_access'],
    pkce: 'required',
    authMethod: 'none',
    applicationType: 'native',
    grantTypes: codeAndRefresh,
    setup: `# kube-apiserver
--oidc-issuer-url={issuer}
--oidc-client-id={client_id}
--oidc-username-claim=email
--oidc-groups-claim=groups
--oidc-groups-prefix=oidc:

# each person, once
kubectl oidc-login setup --oidc-issuer-url={issuer} --oidc-client-id={client_id} \\
  --oidc-extra-scope=email --oidc-extra-scope=groups --oidc-extra-scope=offline_access`,
    notes: ['The API server takes an https issuer only.'],
  },
]
