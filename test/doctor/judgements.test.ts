/** What the checks make of what they see, where seeing it for real would take another internet, another year or another machine. */
import { describe, expect, test } from 'vitest'
import { judgeAnswer } from '../../src/doctor/clients.ts'
import { judgeClock } from '../../src/doctor/clock.ts'
import { judgeVersion } from '../../src/doctor/database.ts'
import { judgeEndpoints, judgeIssuer, judgeKeySet } from '../../src/doctor/discovery.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { judgeKeys } from '../../src/doctor/keys.ts'
import { judgeModes, judgeNode, judgeSpace } from '../../src/doctor/machine.ts'
import { judgeSafety } from '../../src/doctor/mail-server.ts'
import { judgePasskeys, judgeRelated } from '../../src/doctor/passkeys.ts'
import { judgeBackup, judgeQueue } from '../../src/doctor/queue.ts'
import {
  judgeLimits,
  judgeProxies,
  judgeTargets,
  judgeTlsFiles,
} from '../../src/doctor/settings.ts'
import { judgeTls } from '../../src/doctor/tls.ts'
import { OutgoingError } from '../../src/outgoing/errors.ts'
import { makeCertificate } from '../support/certificates.ts'

const day = 24 * 60 * 60
const clock = (seconds: number) =>
  judgeClock('clock.world', 'example.org', { differenceMs: seconds * 1000, leewayMs: 500 })
const signing = { kid: 'a', alg: 'RS256' }
const key = (
  state: 'current' | 'next' | 'previous',
  days: number,
  alg: 'RS256' | 'ES256' | 'EdDSA' = 'RS256',
) => ({
  kid: `${alg}-${state}`,
  alg,
  state,
  secondsLeft: days * day,
})
const others = (['ES256', 'EdDSA'] as const).flatMap((alg) => [
  key('current', 60, alg),
  key('next', 0, alg),
])
const client = { id: 'cloud', name: 'Cloud' } as Parameters<typeof judgeAnswer>[0]['client']
const called = (field: string) => ({
  client,
  field,
  uri: 'https://app.example.org/x',
  calledByUs: true,
})
const refused = new OutgoingError('private', 'app.example.org is private')
const away = new OutgoingError('timeout', 'app.example.org did not answer in time')
const seenTls = {
  chainError: undefined,
  nameError: undefined,
  names: 'id.example.org',
  validTo: new Date('2030-01-01'),
}
const made = makeCertificate({ subject: [['CN', 'a']] })
const quiet = { stuckMails: 0, overdue: 0, givenUp: 0 }

const cases: [
  what: string,
  findings: Finding | Finding[],
  state: Finding['state'],
  check: string,
  fix: RegExp,
][] = [
  ['a clock ten minutes ahead', clock(600), 'broken', 'clock.world', /set-ntp/],
  ['a clock ten minutes behind', clock(-600), 'broken', 'clock.world', /set-ntp/],
  ['a clock twenty seconds ahead', clock(20), 'warning', 'clock.world', /set-ntp/],
  ['an old PostgreSQL', judgeVersion(130_010), 'broken', 'database.version', /pg_upgrade/],
  [
    'a slash at the end of the issuer',
    judgeIssuer('openid-configuration', 'https://a.example', 'https://a.example/'),
    'broken',
    'discovery.issuer',
    /ISSUER/,
  ],
  [
    'an endpoint that the proxy keeps back',
    judgeEndpoints([['token_endpoint', '404']]),
    'broken',
    'discovery.endpoints',
    /\/oauth2\//,
  ],
  [
    'an endpoint that fails',
    judgeEndpoints([['token_endpoint', '502']]),
    'broken',
    'discovery.endpoints',
    /\/oauth2\//,
  ],
  [
    'a key set that is a page',
    judgeKeySet(undefined, [signing]),
    'broken',
    'discovery.keys',
    /jwks/,
  ],
  [
    'a key that signs and is not published',
    judgeKeySet([{ kid: 'b' }], [signing]),
    'broken',
    'discovery.keys',
    /JWKS_MAX_AGE/,
  ],
  [
    'a private key in public',
    judgeKeySet([{ kid: 'a', d: 'x' }], [signing]),
    'broken',
    'discovery.keys',
    /idp keys rotate --now/,
  ],
  ['no key that signs', judgeKeys([key('next', 0), ...others]), 'broken', 'keys.states', /restart/],
  [
    'no key that stands by',
    judgeKeys([key('current', 9), ...others]),
    'broken',
    'keys.states',
    /restart/,
  ],
  [
    'a signing key too old',
    judgeKeys([key('current', -10), key('next', -90), ...others]),
    'warning',
    'keys.age',
    /idp keys rotate --alg RS256/,
  ],
  [
    'a key that should be gone',
    judgeKeys([key('current', 9), key('next', 0), key('previous', -3), ...others]),
    'warning',
    'keys.age',
    /idp keys retire RS256-previous/,
  ],
  ['an old Node', judgeNode('22.20.1', '>=24.12'), 'broken', 'node', /npm ci/],
  [
    'a secret that others can read',
    judgeModes('/data', { directory: 0o40700, secret: 0o100644 }),
    'broken',
    'files.modes',
    /chmod 600 \/data\/secret-key/,
  ],
  [
    'a directory that others can read',
    judgeModes('/data', { directory: 0o40755, secret: undefined }),
    'warning',
    'files.modes',
    /chmod 700 \/data/,
  ],
  ['a full disk', judgeSpace('/data', 1024), 'broken', 'files.space', /room/],
  [
    'a disk that is nearly full',
    judgeSpace('/data', 500 * 1024 ** 2),
    'warning',
    'files.space',
    /room/,
  ],
  [
    'a password that may travel without TLS',
    judgeSafety('smtp://u:p@smtp.example.org'),
    'warning',
    'mail.safety',
    /requireTLS=true/,
  ],
  [
    'an issuer without a name',
    judgePasskeys({ issuer: 'https://192.0.2.1', domain: undefined, counts: [] }),
    'warning',
    'passkeys.domain',
    /ISSUER/,
  ],
  [
    'passkeys of the old domain',
    judgePasskeys({
      issuer: 'https://new.example',
      domain: 'new.example',
      counts: [{ rpId: 'old.example', passkeys: 7 }],
    }),
    'broken',
    'passkeys.domain',
    /idp passkeys keep-domain old\.example/,
  ],
  [
    'an old domain that names others',
    judgeRelated('https://new.example', 'old.example', ['https://x.example']),
    'broken',
    'passkeys.related',
    /idp passkeys allow-origin https:\/\/new\.example/,
  ],
  [
    'an old domain that is gone',
    judgeRelated('https://new.example', 'old.example', 'old.example did not answer in time'),
    'broken',
    'passkeys.related',
    /allow-origin/,
  ],
  [
    'jobs that nobody does',
    judgeQueue({ ...quiet, overdue: 3 }),
    'broken',
    'jobs.overdue',
    /npm start/,
  ],
  [
    'mail that waits',
    judgeQueue({ ...quiet, stuckMails: 3 }),
    'warning',
    'jobs.mail',
    /idp mail list/,
  ],
  [
    'jobs that were given up',
    judgeQueue({ ...quiet, givenUp: 3 }),
    'warning',
    'jobs.failed',
    /last_error/,
  ],
  ['an old backup', judgeBackup(true, 30), 'warning', 'backup', /idp backup create/],
  [
    'limits that are loosened',
    judgeLimits({ limitFactor: 5 }),
    'warning',
    'settings.limits',
    /LIMIT_FACTOR/,
  ],
  [
    'everybody a trusted proxy',
    judgeProxies({ trustedProxies: ['0.0.0.0/0'] }),
    'broken',
    'settings.proxies',
    /TRUSTED_PROXIES/,
  ],
  [
    'everybody a trusted proxy by IPv6',
    judgeProxies({ trustedProxies: ['::/0'] }),
    'broken',
    'settings.proxies',
    /TRUSTED_PROXIES/,
  ],
  [
    'the cloud’s own secrets as a target',
    judgeTargets({ allowPrivateTargets: ['169.254.169.254:80'] }),
    'warning',
    'settings.targets',
    /ALLOW_PRIVATE_TARGETS/,
  ],
  [
    'the key of another certificate',
    judgeTlsFiles({ tls: { cert: made.cert, key: makeCertificate({ subject: [] }).key } }),
    'broken',
    'settings.tls',
    /TLS_KEY_FILE/,
  ],
  [
    'no certificate at all',
    judgeTlsFiles({ tls: { cert: 'x', key: 'y' } }),
    'broken',
    'settings.tls',
    /TLS_CERT_FILE/,
  ],
  [
    'an old TLS',
    judgeTls('id.example.org', { ...seenTls, protocol: 'TLSv1.1' }, 0),
    'broken',
    'tls.protocol',
    /ssl_protocols/,
  ],
  [
    'a chain without its middle',
    judgeTls(
      'id.example.org',
      { ...seenTls, protocol: 'TLSv1.3', chainError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
      0,
    ),
    'broken',
    'tls.chain',
    /fullchain/,
  ],
  [
    'a logout address inside the network',
    judgeAnswer(called('backchannel_logout_uri'), { error: refused }),
    'broken',
    'clients.addresses',
    /ALLOW_PRIVATE_TARGETS=app\.example\.org:443/,
  ],
  [
    'a logout address that does not answer',
    judgeAnswer(called('backchannel_logout_uri'), { error: away }),
    'warning',
    'clients.addresses',
    /is it up/,
  ],
  [
    'a key set that is not there',
    judgeAnswer(called('jwks_uri'), { status: 404, keys: 0 }),
    'broken',
    'clients.addresses',
    /--jwks-uri/,
  ],
  [
    'a key set without keys',
    judgeAnswer(called('jwks_uri'), { status: 200, keys: 0 }),
    'broken',
    'clients.addresses',
    /--jwks-uri/,
  ],
  [
    'an app that is down',
    judgeAnswer({ ...called('redirect_uris'), calledByUs: false }, { error: away }),
    'warning',
    'clients.addresses',
    /is the app up/,
  ],
]

test.each(cases)('%s is named with its fix', (_, findings, state, check, fix) => {
  const wrong = [findings].flat().filter((finding) => finding.state !== 'ok')
  expect(wrong).toEqual([expect.objectContaining({ state, check })])
  expect(wrong[0]?.fix).toMatch(fix)
  expect(wrong[0]?.expected).not.toBe('')
})

describe('what is as it should be draws no word', () => {
  const fine: [what: string, findings: Finding | Finding[]][] = [
    ['a clock that is a second off', clock(1)],
    ['PostgreSQL 18', judgeVersion(180_001)],
    ['this Node', judgeNode('24.12.0', '>=24.12')],
    ['a newer Node', judgeNode('26.0.0', '>=24.12')],
    ['a key within its ninety days', judgeKeys([key('current', 1), key('next', -80), ...others])],
    ['TLS or nothing', judgeSafety('smtp://u:p@smtp.example.org?requireTLS=true')],
    ['a mail catcher next door', judgeSafety('smtp://u:p@localhost:1025')],
    ['an endpoint that wants a POST', judgeEndpoints([['token_endpoint', '405']])],
    [
      'the proxies of a private network',
      judgeProxies({ trustedProxies: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'] }),
    ],
    [
      'an app that browsers alone can reach',
      judgeAnswer({ ...called('redirect_uris'), calledByUs: false }, { error: refused }),
    ],
    [
      'a logout address that refuses a GET',
      judgeAnswer(called('backchannel_logout_uri'), { status: 405, keys: undefined }),
    ],
  ]
  test.each(fine)('%s', (_, findings) => {
    expect([findings].flat().filter(({ state }) => state !== 'ok')).toEqual([])
  })
})
