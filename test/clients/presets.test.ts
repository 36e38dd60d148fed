import { describe, expect, test } from 'vitest'
import { type ClientMetadata, checkMetadata } from '../../src/clients/metadata.ts'
import {
  findPreset,
  needsAppUrl,
  presetSetup,
  presets,
  presetUris,
} from '../../src/clients/presets.ts'
import { standardScopes } from '../../src/clients/scopes.ts'

const app = 'https://app.example.org'

function asMetadata(preset: (typeof presets)[number], appUrl = app): ClientMetadata {
  const { redirectUris, postLogoutRedirectUris } = presetUris(preset, appUrl)
  const withCode = preset.grantTypes.includes('authorization_code')
  return {
    client_name: 'An app',
    client_uri: appUrl,
    application_type: preset.applicationType,
    redirect_uris: redirectUris,
    post_logout_redirect_uris: postLogoutRedirectUris,
    response_types: withCode ? ['code'] : [],
    grant_types: [...preset.grantTypes],
    token_endpoint_auth_method: preset.authMethod,
    ...(preset.grantTypes.includes('urn:openid:params:grant-type:ciba')
      ? { backchannel_token_delivery_mode: 'poll' }
      : {}),
    ...(preset.scopes.length > 0 ? { scope: preset.scopes.join(' ') } : {}),
  }
}

test('every app that the project promises has a preset, each with its own name', () => {
  const names = presets.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toEqual(
    expect.arrayContaining(
      `web spa native device ciba service generic cloudreve-pro cloudreve-bridge nextcloud grafana gitea forgejo immich
       outline oauth2-proxy open-webui gitlab mod-auth-openidc apisix traefik-forward-auth kubernetes moodle
       moodle-auth-oidc discourse`.split(/\s+/),
    ),
  )
})

describe.each(presets)('preset $name', (preset) => {
  test('passes the rules that every client must pass', () => {
    const pkceRequired = preset.pkce === 'required'
    expect(checkMetadata(asMetadata(preset), { pkceRequired })).toEqual([])
  })

  test('works for an app under a path, with or without a slash at its end', () => {
    const bare = presetUris(preset, 'https://example.org/app')
    expect(presetUris(preset, 'https://example.org/app/')).toEqual(bare)
    expect(Object.values(bare).flat().join('\n')).not.toMatch(/app\/\/|[{}]/)
  })

  test('says in one line what it is, and leaves no place open in what is pasted', () => {
    expect(preset.about).toMatch(/^[^\n]{4,90}$/)
    const { setup, notes } = presetSetup(preset, {
      issuer: 'https://id.example.org',
      clientId: 'an-app-1234567',
      clientSecret: 'S'.repeat(43),
      metadata: asMetadata(preset),
    })
    const pasted = [setup, ...notes].join('\n')
    expect(pasted).not.toMatch(
      /\{(issuer|client_id|client_secret|app|redirect_uri|scope)\}|undefined/,
    )
    expect(setup).toContain('id.example.org')
    expect(setup).toContain('an-app-1234567')
    // A public client has no secret to paste, and nobody is told to put one into a command's arguments.
    if (preset.authMethod === 'none') expect(pasted).not.toContain('S'.repeat(43))
    expect(setup).not.toMatch(/--?\S*secret[= ]S{43}/)
  })

  test('asks for nothing that a client without people may have', () => {
    expect(standardScopes).toEqual(expect.arrayContaining([...preset.scopes]))
    if (preset.authMethod === 'none') expect(preset.pkce).toBe('required')
    if (preset.scopes.includes('offline_access'))
      expect(preset.grantTypes).toContain('refresh_token')
  })
})

test('generic is what the contract says', () => {
  expect(findPreset('generic')).toMatchObject({
    authMethod: 'client_secret_basic',
    eitherSecretMethod: true,
    pkce: 'required',
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    grantTypes: ['authorization_code', 'refresh_token'],
  })
})

test('an app address is needed exactly where addresses hang on it', () => {
  const without = presets.filter((preset) => !needsAppUrl(preset)).map(({ name }) => name)
  expect(without).toEqual(['native', 'device', 'ciba', 'service', 'kubernetes'])
  const immich = findPreset('immich')
  expect(immich && presetUris(immich, undefined).redirectUris).toEqual([
    'app.immich:///oauth-callback',
  ])
})

test('a secret that is not known any more stays a place to fill', () => {
  const preset = findPreset('grafana')
  if (!preset) throw new Error('grafana is missing')
  const { setup } = presetSetup(preset, {
    issuer: 'https://id.example.org',
    clientId: 'x',
    metadata: asMetadata(preset),
  })
  expect(setup).toContain('CLIENT_SECRET=<client secret>')
})
