import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { findStoredClient, secretMatches } from '../../src/clients/clients.ts'
import { createDatabase } from '../support/database.ts'
import { createIdp } from './support.ts'

const { db, pool, url } = await createDatabase()
const issuer = 'https://id.example.org'
const idp = createIdp(url, { ISSUER: issuer, SUDO_USER: 'night-admin' })
const directory = mkdtempSync(join(tmpdir(), 'idp-cli-'))

afterAll(() => rmSync(directory, { recursive: true }))
afterEach(() => pool.query('truncate clients, apis, audit_events cascade'))

const cloud = [
  'clients',
  'create',
  'Cloud',
  '--preset',
  'cloudreve-pro',
  '--app-url',
  'https://cloud.example.org',
]

async function json(argv: string[], stdin?: string) {
  const { code, stdout, stderr } = await idp(
    [...argv, '--json'],
    stdin === undefined ? {} : { stdin },
  )
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

describe('clients create', () => {
  test('prints RFC 7591 names with the secret once, data alone on stdout, words on stderr', async () => {
    const { code, stdout, stderr } = await idp([...cloud, '--json'])
    expect(code).toBe(0)
    const printed = JSON.parse(stdout)
    expect(printed).toMatchObject({ version: 1, created: true, issuer })
    expect(printed.client).toEqual({
      client_id: expect.stringMatching(/^cloud-[a-z2-7]{8}$/),
      client_id_issued_at: expect.any(Number),
      client_secret: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      client_secret_expires_at: 0,
      client_name: 'Cloud',
      client_uri: 'https://cloud.example.org',
      application_type: 'web',
      redirect_uris: ['https://cloud.example.org/callback/openid/2'],
      post_logout_redirect_uris: ['https://cloud.example.org', 'https://cloud.example.org/'],
      scope: 'openid profile email',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      preset: 'cloudreve-pro',
      pkce: 'optional',
      first_party: false,
      disabled: false,
      apis: [],
    })
    expect(printed.setup).toContain(printed.client.client_secret)
    expect(stderr).toContain('shown this once')
    expect(stderr).not.toContain(printed.client.client_secret)

    const stored = await findStoredClient(db, printed.client.client_id)
    expect(stored && secretMatches(stored, printed.client.client_secret)).toBe(true)
  })

  test('prints for people what to paste into the app', async () => {
    const { stdout } = await idp([
      'clients',
      'create',
      'Charts',
      '--preset',
      'grafana',
      '--app-url',
      'https://grafana.example.org/',
    ])
    const [, id] = /Client ID +(\S+)/.exec(stdout) ?? []
    const [, secret] = /Client secret +(\S+)/.exec(stdout) ?? []
    expect(stdout).toContain(`GF_AUTH_GENERIC_OAUTH_CLIENT_ID=${id}\n`)
    expect(stdout).toContain(`GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET=${secret}\n`)
    expect(stdout).toContain(`GF_AUTH_GENERIC_OAUTH_AUTH_URL=${issuer}/oauth2/authorize\n`)
    expect(stdout).toContain('https://grafana.example.org/login/generic_oauth')
  })

  test('generic is what the contract says', async () => {
    const { client } = await json([
      'clients',
      'create',
      'Wiki',
      '--preset',
      'generic',
      '--redirect-uri',
      'https://wiki.example.org/oidc',
    ])
    expect(client).toMatchObject({
      redirect_uris: ['https://wiki.example.org/oidc'],
      scope: 'openid profile email groups offline_access',
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
      pkce: 'required',
      first_party: false,
    })
  })

  test('takes every flag of the contract', async () => {
    const { client } = await json([
      'clients',
      'create',
      'Portal',
      '--preset',
      'web',
      '--app-url',
      'https://portal.example.org',
      '--redirect-uri',
      'https://portal.example.org/a',
      '--redirect-uri',
      'http://localhost:5173/a',
      '--post-logout-redirect-uri',
      'https://portal.example.org/bye',
      '--backchannel-logout-uri',
      'https://portal.example.org/logout',
      '--scope',
      'openid email',
      '--auth-method',
      'client_secret_post',
      '--pkce',
      'optional',
      '--first-party',
    ])
    expect(client).toMatchObject({
      redirect_uris: ['https://portal.example.org/a', 'http://localhost:5173/a'],
      post_logout_redirect_uris: ['https://portal.example.org/bye'],
      backchannel_logout_uri: 'https://portal.example.org/logout',
      backchannel_logout_session_required: true,
      scope: 'openid email',
      token_endpoint_auth_method: 'client_secret_post',
      pkce: 'optional',
      first_party: true,
    })
  })

  test('twice is a conflict (4); with --if-not-exists nothing happens and nothing is shown again', async () => {
    const first = await json(cloud)
    const again = await idp(cloud)
    expect(again.code).toBe(4)
    expect(again.stderr).toContain('There is an app named Cloud already')
    expect(again.stderr).toContain('--if-not-exists')

    const { client_secret: secret, client_secret_expires_at: _, ...same } = first.client
    const quiet = await json([...cloud, '--if-not-exists'])
    expect(quiet).toMatchObject({ version: 1, created: false, client: same })
    expect(JSON.stringify(quiet)).not.toContain(secret)
  })

  test('ten commands at once make one client', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, () => idp([...cloud, '--if-not-exists', '--json'])),
    )
    expect(all.map(({ code }) => code)).toEqual(Array(10).fill(0))
    const printed = all.map(({ stdout }) => JSON.parse(stdout))
    expect(printed.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(printed.map(({ client }) => client.client_id)).size).toBe(1)
  })

  test('a key set comes from a file or standard input, and a private key is refused and not repeated', async () => {
    const service = [
      'clients',
      'create',
      'Robot',
      '--preset',
      'service',
      '--auth-method',
      'private_key_jwt',
    ]
    const key = {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    }
    const { client } = await json([...service, '--jwks', '-'], JSON.stringify(key))
    expect(client.jwks).toEqual({ keys: [key] })
    expect(client).not.toHaveProperty('client_secret')

    const file = join(directory, 'private.json')
    writeFileSync(file, JSON.stringify({ keys: [{ ...key, d: 'THE-PRIVATE-PART' }] }))
    const refused = await idp(['clients', 'create', 'Other', ...service.slice(3), '--jwks', file])
    expect(refused.code).toBe(5)
    expect(refused.stderr).toContain('jwks (--jwks-file) holds a private or shared key')
    expect(refused.stderr).not.toContain('THE-PRIVATE-PART')
    expect((await idp([...service, '--jwks', join(directory, 'none.json')])).code).toBe(2)
    expect((await idp([...service, '--jwks', '-'], { stdin: 'hello' })).code).toBe(2)
  })
})

describe('what is refused says the field, the flag and the fix', () => {
  test.each([
    [
      ['--redirect-uri', 'http://app.example.com/cb'],
      'redirect_uris (--redirect-uri)',
      'Use https://app.example.com/cb',
    ],
    [
      ['--redirect-uri', 'https://*.example.com/cb'],
      'redirect_uris (--redirect-uri)',
      'Register each address in full',
    ],
    [['--app-url', 'app.example.com'], 'client_uri (--app-url)', 'Begin with https://'],
    [['--app-url', 'https://app.example.com/?x=1'], 'client_uri (--app-url)', 'the app alone'],
    [
      ['--app-url', 'https://a.example', '--scope', 'openid nope'],
      'scope (--scope)',
      'idp apis list',
    ],
    [
      ['--app-url', 'https://a.example', '--api', 'https://none.example'],
      'api (--api)',
      'idp apis list',
    ],
    [
      ['--app-url', 'https://a.example', '--auth-method', 'none', '--pkce', 'optional'],
      'pkce (--pkce)',
      '--pkce required',
    ],
    [['--app-url', 'https://a.example', '--client-id', 'a b'], 'client_id (--client-id)', '128'],
    [
      ['--app-url', 'https://a.example', '--backchannel-logout-uri', 'ftp://a.example'],
      'backchannel_logout_uri (--backchannel-logout-uri)',
      'Use https',
    ],
  ])('%j is a broken rule (5)', async (flags, field, fix) => {
    const { code, stdout, stderr } = await idp([
      'clients',
      'create',
      'App',
      '--preset',
      'web',
      ...flags,
    ])
    expect(code).toBe(5)
    expect(stdout).toBe('')
    expect(stderr).toContain(field)
    expect(stderr).toContain(fix)
    expect(stderr).not.toMatch(/at .*\.ts:\d+/)
    // One mistake is told once, not for every address derived from it.
    expect(stderr.match(/^ {2}\S/gm)).toHaveLength(1)
  })

  test.each([
    [['clients', 'create', 'App'], 'Add --preset NAME'],
    [['clients', 'create', 'App', '--preset', 'cloudrevepro'], 'Did you mean cloudreve-pro?'],
    [['clients', 'create', 'App', '--preset', 'grafana'], 'Add --app-url'],
    [
      ['clients', 'create', 'App', '--preset', 'native', '--pkce', 'maybe'],
      'Allowed choices are required, optional',
    ],
    [['clients', 'create'], 'missing required argument'],
    [['clients', 'creat', 'App'], 'Did you mean create?'],
    [['clients', 'create', 'App', '--preset', 'native', '--secret', 'x'], 'unknown option'],
    [['clients', 'update', 'App'], 'Nothing to change was named'],
    [['clients', 'rotate-secret', 'App', '--overlap', 'soon'], '30m, 12h or 7d'],
  ])('%j is wrong use (2)', async (argv, words) => {
    const { code, stdout, stderr } = await idp(argv)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(words)
  })

  test('an unknown client is not found (3), with the nearest name', async () => {
    await idp(cloud)
    for (const verb of ['get', 'rotate-secret', 'disable', 'enable', 'test']) {
      const { code, stderr } = await idp(['clients', verb, 'Clowd'])
      expect([verb, code]).toEqual([verb, 3])
      expect(stderr).toContain('Did you mean Cloud?')
    }
    expect((await idp(['clients', 'delete', 'nothing-like-it', '--yes'])).stderr).toContain(
      'idp clients list',
    )
    expect((await idp(['clients', 'update', 'Clowd', '--first-party'])).code).toBe(3)
  })
})

test('list and get show everything but secrets', async () => {
  const { client } = await json(cloud)
  await json([
    'clients',
    'create',
    'Wiki',
    '--preset',
    'spa',
    '--app-url',
    'https://wiki.example.org',
  ])
  const { client_secret: secret, client_secret_expires_at: _, ...shown } = client

  const all = await json(['clients', 'list'])
  expect(all).toMatchObject({
    version: 1,
    clients: [shown, { client_name: 'Wiki', token_endpoint_auth_method: 'none' }],
  })
  const one = await json(['clients', 'get', 'cloud', '--setup'])
  expect(one).toMatchObject({ version: 1, issuer, client: shown })
  expect(one.setup).toContain('<client secret>')

  const table = (await idp(['clients', 'list'])).stdout
  expect(table.split('\n')[0]).toMatch(/^NAME +CLIENT ID +PRESET +TYPE +STATUS +APP$/)
  expect(table).toMatch(
    /^Cloud +cloud-\S+ +cloudreve-pro +confidential +enabled +https:\/\/cloud\.example\.org$/m,
  )
  expect((await idp(['clients', 'list', '--quiet'])).stdout).toBe(
    `${all.clients.map((c: { client_id: string }) => c.client_id).join('\n')}\n`,
  )
  const everything = JSON.stringify([
    all,
    one,
    table,
    await idp(['clients', 'get', client.client_id]),
  ])
  expect(everything).not.toContain(secret)
})

test('an empty list is an empty list, and says how to begin', async () => {
  expect(await json(['clients', 'list'])).toEqual({ version: 1, clients: [] })
  const { code, stdout, stderr } = await idp(['clients', 'list'])
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toContain('idp clients create --help')
})

test('update changes what is named, says so, and tells what ended', async () => {
  await json(cloud)
  const { changed, client } = await json([
    'clients',
    'update',
    'Cloud',
    '--pkce',
    'required',
    '--first-party',
    '--name',
    'Files',
  ])
  expect(changed).toEqual(['client_name', 'pkce', 'first_party'])
  expect(client).toMatchObject({ client_name: 'Files', pkce: 'required', first_party: true })
  const narrowed = await idp([
    'clients',
    'update',
    'Files',
    '--scope',
    'openid',
    '--no-first-party',
    '--no-post-logout-redirect-uri',
  ])
  expect(narrowed.code).toBe(0)
  expect(narrowed.stderr).toContain('its tokens have ended')
  expect((await json(['clients', 'get', 'Files'])).client).toMatchObject({
    scope: 'openid',
    first_party: false,
    post_logout_redirect_uris: [],
  })
  expect((await idp(['clients', 'update', 'Files', '--pkce', 'required'])).stderr).toContain(
    'Nothing changed',
  )
})

test('rotate-secret prints the new secret once and says when the old one ends (TK-19)', async () => {
  const { client } = await json(cloud)
  const rotated = await idp(['clients', 'rotate-secret', 'Cloud', '--overlap', '7d', '--json'])
  const next = JSON.parse(rotated.stdout).client.client_secret
  expect(rotated.stderr).toMatch(/The old secret works until \d{4}-\d\d-\d\d \d\d:\d\d UTC/)
  const stored = await findStoredClient(db, client.client_id)
  const works = (secret: string) => stored && secretMatches(stored, secret)
  expect([works(client.client_secret), works(next)]).toEqual([true, true])
  expect((await idp(['clients', 'get', 'Cloud'])).stdout).toMatch(
    /Secrets +of .*\n +of .*, works until/,
  )

  const spa = await json([
    'clients',
    'create',
    'Spa',
    '--preset',
    'spa',
    '--app-url',
    'https://spa.example.org',
  ])
  const none = await idp(['clients', 'rotate-secret', spa.client.client_id])
  expect(none.code).toBe(5)
  expect(none.stderr).toContain('has no secret')
})

test('disable and enable say what happened, and what already was', async () => {
  await json(cloud)
  expect((await idp(['clients', 'disable', 'Cloud'])).stderr).toContain('its tokens have ended')
  expect(await json(['clients', 'disable', 'Cloud'])).toMatchObject({
    changed: false,
    client: { disabled: true },
  })
  expect((await idp(['clients', 'get', 'Cloud'])).stdout).toMatch(/Status +disabled since/)
  expect(await json(['clients', 'enable', 'Cloud'])).toMatchObject({
    changed: true,
    client: { disabled: false },
  })
})

describe('delete (AD-09)', () => {
  test('without a terminal it needs --yes (2) and does nothing', async () => {
    await json(cloud)
    const { code, stderr } = await idp(['clients', 'delete', 'Cloud'])
    expect(code).toBe(2)
    expect(stderr).toContain('Add --yes')
    expect((await idp(['clients', 'get', 'Cloud'])).code).toBe(0)
    const gone = await idp(['clients', 'delete', 'Cloud', '--yes', '--json'])
    expect([gone.code, JSON.parse(gone.stdout).deleted.client_name]).toEqual([0, 'Cloud'])
    expect((await idp(['clients', 'get', 'Cloud'])).code).toBe(3)
  })

  test('at a terminal it asks, and only a yes is a yes', async () => {
    await json(cloud)
    for (const typed of ['\n', 'n\n', 'what\n']) {
      const { code, stderr } = await idp(['clients', 'delete', 'Cloud'], { terminal: { typed } })
      expect(code).toBe(1)
      expect(stderr).toContain('Nothing was deleted')
    }
    const { code, stderr } = await idp(['clients', 'delete', 'Cloud'], {
      terminal: { typed: 'yes\n' },
    })
    expect(code).toBe(0)
    expect(stderr).toMatch(/Delete Cloud \(cloud-\S+\) with its tokens/)
  })
})

test('presets are listed with what they are for; one shows what to paste', async () => {
  const { stdout } = await idp(['clients', 'presets'])
  expect(stdout).toMatch(/^nextcloud +required +client_secret_post +Nextcloud/m)
  expect((await idp(['clients', 'presets', 'oauth2-proxy'])).stdout).toContain(
    'code_challenge_method = "S256"',
  )
  expect((await json(['clients', 'presets'])).presets.length).toBeGreaterThan(20)
  expect(await idp(['clients', 'presets', 'nextclod'])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Did you mean nextcloud?'),
  })
})

test('the operator stands in the audit trail, no secret does (AD-08, IN-08)', async () => {
  const { client } = await json(cloud)
  const rotated = await json(['clients', 'rotate-secret', 'Cloud'])
  await idp(['clients', 'delete', 'Cloud', '--yes'])
  const { rows } = await pool.query(
    'select type, actor_kind, actor_id, detail from audit_events order by at',
  )
  expect(rows.map(({ type }) => type)).toEqual([
    'client.created',
    'client.secret_rotated',
    'client.deleted',
  ])
  expect(rows.every((row) => row.actor_kind === 'operator' && row.actor_id === 'night-admin')).toBe(
    true,
  )
  for (const secret of [client.client_secret, rotated.client.client_secret])
    expect(JSON.stringify(rows)).not.toContain(secret)
})

test('APIs: created, given to a client, shown, deleted', async () => {
  const identifier = 'https://api.example.org'
  const created = await json([
    'apis',
    'create',
    identifier,
    '--scope',
    'files:read files:write',
    '--name',
    'Files',
  ])
  expect(created).toMatchObject({
    version: 1,
    created: true,
    api: {
      identifier,
      name: 'Files',
      scopes: ['files:read', 'files:write'],
      access_token_lifetime: 600,
    },
  })
  expect((await idp(['apis', 'create', identifier])).code).toBe(4)
  expect(await json(['apis', 'create', identifier, '--if-not-exists'])).toMatchObject({
    created: false,
  })
  expect(await idp(['apis', 'create', 'files', '--scope', 'openid'])).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('identifier (IDENTIFIER)'),
  })
  expect(
    (await idp(['apis', 'create', 'https://b.example', '--access-token-lifetime', '2d'])).code,
  ).toBe(5)
  expect(
    (await idp(['apis', 'create', 'https://b.example', '--access-token-lifetime', 'x'])).code,
  ).toBe(2)

  const { client } = await json([
    'clients',
    'create',
    'Robot',
    '--preset',
    'service',
    '--scope',
    'files:read',
  ])
  expect(client).toMatchObject({
    grant_types: ['client_credentials'],
    scope: 'files:read',
    apis: [identifier],
  })
  expect((await json(['apis', 'get', identifier])).api.clients).toEqual([client.client_id])
  const { apis } = await json(['apis', 'list'])
  expect(apis).toMatchObject([{ identifier }, { built_in: true, name: 'letuslearn' }])
  const [, { identifier: ours }] = apis
  expect((await idp(['apis', 'delete', ours, '--yes'])).code).toBe(5)
  expect((await idp(['apis', 'update', ours, '--remove-scope', 'account', '--yes'])).code).toBe(5)
  expect((await idp(['apis', 'list'])).stdout).toContain('files:read files:write')

  expect((await idp(['apis', 'delete', identifier])).code).toBe(2)
  expect((await idp(['apis', 'delete', identifier, '--yes'])).code).toBe(0)
  expect(await idp(['apis', 'get', 'https://api.example.com'])).toMatchObject({ code: 3 })
  expect((await json(['clients', 'get', 'Robot'])).client).toMatchObject({ apis: [] })
})
