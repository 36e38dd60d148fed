/** Google, Cognito and Microsoft without a network: what they are asked, and whose word counts. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto.ts'
import { checkProvider } from '../../src/federation/check-provider.ts'
import { authorizationUrl, redeem } from '../../src/federation/exchange.ts'
import { microsoftIssuer, type PresetName, presets } from '../../src/federation/presets.ts'
import type { Provider, ProviderInput } from '../../src/federation/providers.ts'
import type { UpstreamRequest } from '../../src/federation/requests.ts'
import { createUpstreams } from '../../src/federation/upstreams.ts'

const keyring = createKeyring(['a secret for this test, long enough'])
const ourIssuer = 'https://id.example.org'
const tenant = '9f8b6a54-1111-4222-8333-444455556666'
const other = '00000000-1111-4222-8333-444455556666'
const keys = await generateKeyPair('RS256')
const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256' }
const request: UpstreamRequest = {
  state: 's',
  nonce: 'n',
  verifier: 'v'.repeat(43),
  fresh: true,
  startedAt: Date.now(),
  purpose: { kind: 'flow', flowId: 'f' },
}

function providerOf(preset: PresetName, more: Partial<Provider>): Provider {
  const issuer = presets[preset].issuer ?? ''
  const given = { id: preset, preset, name: 'X', issuer, clientId: 'us', ...more }
  const row = JSON.stringify([given.id, given.issuer, given.clientId])
  return {
    appleTeamId: null,
    appleKeyId: null,
    scope: 'openid email',
    trustEmail: false,
    tenants: [],
    roleMap: [],
    enabled: true,
    createdAt: new Date(),
    updatedAt: new Date(),
    secretSealed: keyring.seal('provider-secret', row, 'secret'),
    ...given,
  }
}

/** Answers as the provider would; `claims` go into the ID token. */
function upstreamsOf(issuer: string, claims: Record<string, unknown> = {}, keyMore = {}) {
  const base = 'https://endpoints.example'
  const json = (body: unknown) =>
    new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })
  return createUpstreams({
    keyring,
    async fetch(url) {
      if (url.includes('.well-known')) {
        return json({
          issuer,
          authorization_endpoint: `${base}/authorize`,
          token_endpoint: `${base}/token`,
          jwks_uri: `${base}/jwks`,
          id_token_signing_alg_values_supported: ['RS256'],
        })
      }
      if (url.endsWith('/jwks')) return json({ keys: [{ ...jwk, ...keyMore }] })
      const idToken = await new SignJWT({ aud: 'us', sub: 'p', nonce: 'n', ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(keys.privateKey)
      return json({ access_token: 'a', token_type: 'bearer', id_token: idToken })
    },
  })
}

const template = microsoftIssuer('{tenantid}')
const come = (
  provider: Provider,
  claims: Record<string, unknown>,
  keyMore = {},
  discovered = template,
) =>
  redeem(upstreamsOf(discovered, claims, keyMore), provider, request, {
    answer: new URLSearchParams({ code: 'c', state: 's' }),
    issuer: ourIssuer,
  })

test('Microsoft with many tenants: the issuer is the tenant’s own, and only tenants that are let in', async () => {
  const common = providerOf('microsoft', { issuer: microsoftIssuer('organizations') })
  const only = { ...common, tenants: [tenant] }
  const good = { iss: microsoftIssuer(tenant), tid: tenant, email: 'a@example.org' }
  expect(await come(common, good)).toMatchObject({
    issuer: good.iss,
    subject: 'p',
    emailTrusted: false,
  })
  expect(await come(only, good)).toMatchObject({ subject: 'p' })
  const foreign = { ...good, iss: microsoftIssuer(other), tid: other }
  await expect(come(only, foreign)).rejects.toThrow('tenant is not let in')
  for (const bad of [
    { ...good, tid: other },
    { ...good, tid: undefined },
    { ...good, iss: template, tid: '{tenantid}' },
    { ...good, iss: microsoftIssuer('x/y'), tid: 'x/y' },
    { ...good, iss: 'https://evil.example/v2.0' },
  ]) {
    await expect(come(common, bad)).rejects.toMatchObject({ code: 'upstream_invalid' })
  }
  // A key that may speak for one tenant alone.
  await expect(come(common, good, { issuer: microsoftIssuer(other) })).rejects.toThrow(
    'another issuer',
  )
  expect(await come(common, good, { issuer: template })).toBeTruthy()
})

test('Microsoft with one tenant: its discovery must say so, letter by letter', async () => {
  const single = providerOf('microsoft', { issuer: microsoftIssuer(tenant) })
  const claims = { iss: microsoftIssuer(tenant), tid: tenant }
  expect(await come(single, claims, {}, microsoftIssuer(tenant))).toMatchObject({ subject: 'p' })
  await expect(come(single, claims, {}, microsoftIssuer(other))).rejects.toMatchObject({
    code: 'upstream_invalid',
  })
  await expect(come(single, claims, {}, template)).rejects.toMatchObject({
    code: 'upstream_invalid',
  })
})

test('Microsoft’s word about an address never counts, and its admins cannot be told to', async () => {
  const common = providerOf('microsoft', { issuer: microsoftIssuer('common'), trustEmail: true })
  const claims = {
    iss: microsoftIssuer(tenant),
    tid: tenant,
    email: 'a@example.org',
    email_verified: true,
  }
  expect(await come(common, claims)).toMatchObject({ emailTrusted: false })
  const input: ProviderInput = { ...common, secret: 'x' }
  expect(checkProvider(input, { ourIssuer }).map(({ code }) => code)).toEqual(['email_not_proven'])
})

test('a sign-in anew is asked for in the words that each knows', async () => {
  const asked = async (preset: PresetName, issuer: string) => {
    const provider = providerOf(preset, { issuer })
    const url = await authorizationUrl(upstreamsOf(issuer), provider, request, {
      issuer: ourIssuer,
    })
    return new URL(url).searchParams
  }
  const google = await asked('google', 'https://accounts.google.com')
  expect(google.get('prompt')).toBe('select_account')
  expect(google.get('redirect_uri')).toBe(`${ourIssuer}/sign-in/callback/google`)
  const cognito = await asked(
    'cognito',
    'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab',
  )
  expect([cognito.get('prompt'), cognito.get('max_age')]).toEqual(['login', null])
})

test('Cognito’s groups are roles by the table, by whole values alone', async () => {
  const issuer = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab'
  const rule = { claim: 'cognito:groups', value: 'editors', role: 'editor' }
  const pool = providerOf('cognito', { issuer, roleMap: [rule] })
  const roles = async (groups: unknown) =>
    (await come(pool, { iss: issuer, 'cognito:groups': groups }, {}, issuer)).roles
  expect(await roles(['editors', 'readers'])).toEqual(['editor'])
  expect(await roles('editors')).toEqual(['editor'])
  for (const none of [['editors2'], 'xeditors', undefined, { editors: true }, []]) {
    expect(await roles(none)).toEqual([])
  }
})

test.each<[string, Partial<ProviderInput>, string]>([
  ['an id that cannot stand in an address', { id: 'Google!' }, 'id_malformed'],
  ['plain http', { issuer: 'http://id.example.com' }, 'issuer_insecure'],
  ['ourselves', { issuer: ourIssuer }, 'issuer_reserved'],
  ['no secret', { secret: undefined }, 'secret_required'],
  ['a scope without openid', { scope: 'email' }, 'scope_invalid'],
  ['a name that is none', { name: ' ' }, 'name_invalid'],
  ['tenants where there is one', { tenants: [tenant] }, 'tenants_unused'],
  ['admins without a word', { roleMap: [{ claim: 'g', value: 'a', role: 'admin' }] }, 'admin_role'],
  [
    'everybody’s role',
    { roleMap: [{ claim: 'g', value: 'a', role: 'user' }] },
    'role_map_malformed',
  ],
])('%s is refused, with the fix', (_, change, code) => {
  const input = { ...providerOf('oidc', { issuer: 'https://up.example' }), secret: 'x', ...change }
  const problems = checkProvider(input, { ourIssuer })
  expect(problems.map((problem) => problem.code)).toEqual([code])
  expect(problems[0]?.fix).toBeTruthy()
})
