/** Presets for an app that has no preset of its own: chosen by how the app is built. */
import {
  backchannelAndRefresh,
  code,
  codeAndRefresh,
  deviceAndRefresh,
  everything,
  frontPage,
  type Preset,
} from './preset.ts'

const settings = `Issuer         {issuer}
Discovery      {issuer}/.well-known/openid-configuration
Client ID      {client_id}
Client secret  {client_secret}
Redirect URI   {redirect_uri}
Scopes         {scope}`

const publicSettings = settings.replace(/^Client secret.*\n/m, '')

export const shapes: Preset[] = [
  {
    name: 'generic',
    about:
      'any OpenID Connect app with a server side; secret by Basic or in the form, PKCE required',
    redirectUris: ['{app}/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: everything,
    pkce: 'required',
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    applicationType: 'web',
    grantTypes: codeAndRefresh,
    setup: settings,
    notes: ['An app that cannot send PKCE: idp clients update {client_id} --pkce optional.'],
  },
  {
    name: 'web',
    about: 'a web app of your own that keeps its tokens on the server',
    redirectUris: ['{app}/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: everything,
    pkce: 'required',
    authMethod: 'client_secret_basic',
    applicationType: 'web',
    grantTypes: codeAndRefresh,
    setup: `OIDC_ISSUER={issuer}
OIDC_CLIENT_ID={client_id}
OIDC_CLIENT_SECRET={client_secret}
OIDC_REDIRECT_URI={redirect_uri}
OIDC_SCOPE="{scope}"`,
  },
  {
    name: 'spa',
    about: 'an app that runs in the browser alone: no secret, PKCE required',
    redirectUris: ['{app}/callback'],
    postLogoutRedirectUris: frontPage,
    scopes: everything,
    pkce: 'required',
    authMethod: 'none',
    applicationType: 'web',
    grantTypes: codeAndRefresh,
    setup: `const settings = {
  issuer: '{issuer}',
  client_id: '{client_id}',
  redirect_uri: '{redirect_uri}',
  scope: '{scope}',
}`,
  },
  {
    name: 'native',
    about: 'a desktop, mobile or command-line app: no secret, any port on 127.0.0.1 and [::1]',
    redirectUris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
    postLogoutRedirectUris: [],
    scopes: everything,
    pkce: 'required',
    authMethod: 'none',
    applicationType: 'native',
    grantTypes: codeAndRefresh,
    setup: publicSettings,
    notes: [
      'Open the system browser and listen on a free port; the port need not be registered.',
      'A private scheme needs a dot: --redirect-uri com.example.app:/callback.',
    ],
  },
  {
    name: 'device',
    about: 'a TV, console or tool without a browser: people type its code on another device',
    redirectUris: [],
    postLogoutRedirectUris: [],
    scopes: everything,
    pkce: 'required',
    authMethod: 'none',
    applicationType: 'native',
    grantTypes: deviceAndRefresh,
    setup: `# 1. Ask for a code, show user_code and verification_uri (or its QR code)
curl {issuer}/oauth2/device -d client_id={client_id} --data-urlencode "scope={scope}"
# 2. Ask every five seconds until the person has said yes; after slow_down five seconds more
curl {issuer}/oauth2/token -d client_id={client_id} -d device_code=… \\
  -d grant_type=urn:ietf:params:oauth:grant-type:device_code`,
    notes: [
      'The QR code as a picture: {issuer}/device/qr.svg?user_code=CODE.',
      'A device that can keep a secret: --auth-method client_secret_basic.',
    ],
  },
  {
    name: 'ciba',
    about: 'a till, call centre or bank: people say yes on their own device (CIBA)',
    redirectUris: [],
    postLogoutRedirectUris: [],
    scopes: everything,
    pkce: 'required',
    authMethod: 'client_secret_basic',
    applicationType: 'web',
    grantTypes: backchannelAndRefresh,
    setup: `# (the file holds one line: user = "{client_id}:{client_secret}")
# 1. Ask somebody; they are told by mail and say yes at {issuer}/account/requests
curl --config secret.curlrc {issuer}/oauth2/bc-authorize --data-urlencode "scope={scope}" \\
  -d login_hint=ada@example.org -d binding_message=W4SCT
# 2. Ask every five seconds until they have decided; after slow_down five seconds more
curl --config secret.curlrc {issuer}/oauth2/token -d auth_req_id=… \\
  -d grant_type=urn:openid:params:grant-type:ciba`,
    notes: ['To be told instead of asking: --backchannel-notification-endpoint URL.'],
  },
  {
    name: 'service',
    about: 'a program that acts for itself and calls APIs; no person signs in',
    redirectUris: [],
    postLogoutRedirectUris: [],
    scopes: [],
    pkce: 'required',
    authMethod: 'client_secret_basic',
    applicationType: 'web',
    grantTypes: ['client_credentials'],
    setup: `# A token for ten minutes; name the API with resource=
# (the file holds one line: user = "{client_id}:{client_secret}")
curl --config secret.curlrc {issuer}/oauth2/token \\
  -d grant_type=client_credentials -d resource=https://api.example.org`,
    notes: ['It may call what you allow: --api IDENTIFIER, or --scope with scopes of one API.'],
  },
  {
    name: 'mod-auth-openidc',
    about: 'Apache httpd in front of anything, with mod_auth_openidc',
    redirectUris: ['{app}/redirect_uri'],
    postLogoutRedirectUris: frontPage,
    scopes: ['openid', 'email', 'profile', 'groups'],
    // Debian's 2.4.12 sends none unless told; current versions always do.
    pkce: 'optional',
    authMethod: 'client_secret_basic',
    applicationType: 'web',
    grantTypes: code,
    setup: `OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {client_secret}
OIDCRedirectURI {redirect_uri}
OIDCScope "{scope}"
OIDCPKCEMethod S256
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCRemoteUserClaim preferred_username
OIDCCryptoPassphrase (a random string of its own)

<Location />
  AuthType openid-connect
  Require valid-user
</Location>`,
    notes: ['The redirect URI must lie inside the protected path and have no content of its own.'],
  },
]
