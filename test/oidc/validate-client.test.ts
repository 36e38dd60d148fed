import { expect, test } from 'vitest'
import { presets, presetUris } from '../../src/clients/presets.ts'
import { backchannelGrant } from '../../src/clients/rules/grants.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'

const check = createClientCheck('https://id.example.org')
const good = {
  client_id: 'cloud-abcdefgh',
  client_secret: 'x'.repeat(43),
  client_name: 'Cloud',
  redirect_uris: ['https://cloud.example.org/callback'],
  post_logout_redirect_uris: [],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'client_secret_basic',
  application_type: 'web',
  scope: 'openid profile email groups offline_access',
}

test.each(presets)('the engine takes the preset $name', async (preset) => {
  const { redirectUris, postLogoutRedirectUris } = presetUris(preset, 'https://app.example.org')
  const { scope: _, client_secret: secret, ...rest } = good
  await check({
    ...rest,
    ...(preset.authMethod === 'none' ? {} : { client_secret: secret }),
    redirect_uris: redirectUris,
    post_logout_redirect_uris: postLogoutRedirectUris,
    response_types: preset.grantTypes.includes('authorization_code') ? ['code'] : [],
    grant_types: [...preset.grantTypes],
    token_endpoint_auth_method: preset.authMethod,
    application_type: preset.applicationType,
    ...(preset.scopes.length > 0 ? { scope: preset.scopes.join(' ') } : {}),
    // Stored with every client that asks people on their own device.
    ...(preset.grantTypes.includes(backchannelGrant)
      ? { backchannel_token_delivery_mode: 'poll' }
      : {}),
  })
})

test.each([
  ['ES256 for ID tokens', { id_token_signed_response_alg: 'ES256' }],
  [
    'back-channel logout',
    {
      backchannel_logout_uri: 'https://cloud.example.org/out',
      backchannel_logout_session_required: true,
    },
  ],
])('the engine takes %s', async (_, change) => {
  await check({ ...good, ...change })
})

test.each([
  [
    'a fragment',
    { redirect_uris: ['https://cloud.example.org/#x'] },
    'redirect_uris must not contain fragments',
  ],
  ['the password grant', { grant_types: ['password'] }, 'grant_types'],
  ['a scope nobody serves', { scope: 'openid admin' }, 'scope'],
  ['no secret', { client_secret: undefined }, 'client_secret is mandatory property'],
])('the engine refuses %s, and says why', async (_, change, words) => {
  await expect(check({ ...good, ...change })).rejects.toMatchObject({
    error: expect.stringMatching(/^invalid_(client_metadata|redirect_uri)$/),
    error_description: expect.stringContaining(words),
  })
})
