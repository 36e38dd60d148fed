/** A proxy in front that makes each mistake which proxies make: the doctor sees what really arrived, and names the line that mends it. */

import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { randomToken, sha256 } from '../../src/crypto.ts'
import { examine } from '../../src/doctor/examine.ts'
import { issueProbe, takeProbe } from '../../src/doctor/probe-tokens.ts'
import { judgeProbe } from '../../src/doctor/proxy.ts'
import type { ProbeAnswer } from '../../src/http/probe.ts'
import { daysAhead, makeAuthority, makeCertificate } from '../support/certificates.ts'
import { rounds } from '../support/rounds.ts'
import { secureFetch } from '../support/secure-fetch.ts'
import { startTestServer } from '../support/server.ts'
import { complaints, look, patientOf } from './patient.ts'

const authority = makeAuthority()
const alternatives = [{ dns: 'localhost' }]
const good = makeCertificate({ subject: [['CN', 'localhost']], issuer: authority, alternatives })
const expired = makeCertificate({
  subject: [['CN', 'localhost']],
  issuer: authority,
  alternatives,
  validFrom: daysAhead(-90),
  validTo: daysAhead(-1),
})
const endsSoon = makeCertificate({
  subject: [['CN', 'localhost']],
  issuer: authority,
  alternatives,
  validTo: daysAhead(5),
})
const selfSigned = makeCertificate({ subject: [['CN', 'localhost']], alternatives })
const ofAnother = makeCertificate({
  subject: [['CN', 'other.example.org']],
  issuer: authority,
  alternatives: [{ dns: 'other.example.org' }],
})

/** A proxy that ends TLS. It does what a good one does, and then what a test makes of it. */
type Faults = {
  port: number
  request(headers: IncomingHttpHeaders): IncomingHttpHeaders
  response(headers: IncomingHttpHeaders): IncomingHttpHeaders
  status: number | undefined
}
const asIs = (headers: IncomingHttpHeaders) => headers
const proxy: Faults = { port: 0, request: asIs, response: asIs, status: undefined }

const listener = createServer({ cert: good.cert, key: good.key }, (incoming, outgoing) => {
  if (proxy.status !== undefined) {
    outgoing.writeHead(proxy.status, { location: 'https://www.example.org/' }).end()
    return
  }
  const headers = proxy.request({
    ...incoming.headers,
    'x-forwarded-proto': 'https',
    'x-forwarded-for': [incoming.headers['x-forwarded-for'] ?? [], '198.51.100.7']
      .flat()
      .join(', '),
  })
  const { method, url } = incoming
  const upstream = httpRequest(
    { port: proxy.port, method, path: url, headers, agent: false },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, proxy.response(answer.headers))
      answer.pipe(outgoing)
    },
  )
  upstream.on('error', () => outgoing.writeHead(502).end())
  incoming.pipe(upstream)
})
await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
afterAll(() => {
  listener.closeAllConnections()
  listener.close()
})
const { port } = listener.address() as AddressInfo
const issuer = `https://localhost:${port}`

const clientCertHeader = 'x-client-cert'
const behind = await startTestServer({
  env: { ISSUER: issuer, TRUSTED_PROXIES: '127.0.0.1', CLIENT_CERT_HEADER: clientCertHeader },
  crontab: '',
})
const untrusting = await startTestServer({
  env: { ISSUER: issuer },
  database: behind.database,
  dataDir: behind.config.dataDir,
  crontab: '',
})
const direct = new URL(`http://127.0.0.1:${behind.config.port}/doctor/probe`)

const world = { fetch: secureFetch({ ca: authority.cert }), ca: authority.cert }
const patient = patientOf(behind.config, behind.database, world)
const found = async (...names: string[]) => complaints(await look(patient, ...names))

beforeEach(() => {
  listener.setSecureContext({ cert: good.cert, key: good.key })
  Object.assign(proxy, {
    port: behind.config.port,
    request: (headers: IncomingHttpHeaders) => ({ ...headers, [clientCertHeader]: '' }),
    response: asIs,
    status: undefined,
  })
})

test('behind a good proxy there is nothing to say', async () => {
  const names = ['proxy', 'tls', 'cookies', 'discovery', 'clock.issuer']
  const findings = await look(patient, ...names)
  expect(complaints(findings)).toEqual([])
  expect(findings).toContainEqual({
    check: 'proxy.address',
    state: 'ok',
    seen: 'visitors are seen as 198.51.100.7',
  })
  expect(findings.map(({ check }) => check)).toEqual([
    ...[
      'issuer.reachable',
      'issuer.setting',
      'proxy.host',
      'proxy.scheme',
      'proxy.trust',
      'proxy.address',
    ],
    ...['proxy.certificates', 'tls.chain', 'tls.name', 'tls.expiry', 'tls.protocol', 'cookies'],
    ...[
      'discovery.issuer',
      'discovery.issuer',
      'discovery.endpoints',
      'discovery.keys',
      'clock.issuer',
    ],
  ])
})

describe('what a request through the proxy really carries', () => {
  test.each<
    [
      what: string,
      change: (headers: IncomingHttpHeaders) => IncomingHttpHeaders,
      check: string,
      fix: RegExp,
    ]
  >([
    [
      'the port is dropped',
      (h) => ({ ...h, host: 'localhost' }),
      'proxy.host',
      /port is lost.*Host \$http_host/,
    ],
    [
      'the Host is replaced',
      (h) => ({ ...h, host: `127.0.0.1:${proxy.port}` }),
      'proxy.host',
      /Host \$http_host/,
    ],
    [
      'another host is forwarded',
      (h) => ({ ...h, 'x-forwarded-host': 'inner' }),
      'proxy.host',
      /X-Forwarded-Host ""/,
    ],
    [
      'http is said',
      (h) => ({ ...h, 'x-forwarded-proto': 'http' }),
      'proxy.scheme',
      /X-Forwarded-Proto \$scheme/,
    ],
    [
      'no scheme is said',
      ({ 'x-forwarded-proto': _, ...h }) => h,
      'proxy.scheme',
      /X-Forwarded-Proto \$scheme/,
    ],
    [
      'no address is said',
      ({ 'x-forwarded-for': _, ...h }) => h,
      'proxy.address',
      /\$proxy_add_x_forwarded_for/,
    ],
    [
      'addresses are passed on as visitors wrote them',
      (h) => ({ ...h, 'x-forwarded-for': String(h['x-forwarded-for']).split(', ')[0] ?? '' }),
      'proxy.address',
      /\$proxy_add_x_forwarded_for/,
    ],
  ])('%s', async (_, change, check, fix) => {
    proxy.request = (headers) => change({ ...headers, [clientCertHeader]: '' })
    const findings = await found('proxy')
    expect(findings.map((finding) => finding.check)).toEqual([check])
    expect(findings[0]?.fix).toMatch(fix)
  })

  test('a certificate that visitors bring along arrives', async () => {
    proxy.request = asIs
    expect(await found('proxy')).toEqual([
      expect.objectContaining({
        check: 'proxy.certificates',
        state: 'broken',
        fix: expect.stringContaining(`${clientCertHeader} ""`),
      }),
    ])
  })

  test('the proxy is not trusted', async () => {
    proxy.port = untrusting.config.port
    const [finding, ...more] = await found('proxy')
    expect(more).toEqual([])
    expect(finding).toMatchObject({ check: 'proxy.trust', fix: 'TRUSTED_PROXIES="127.0.0.1"' })
    expect(finding?.seen).toContain('all visitors share one address')
  })

  test.each([
    [302, /redirects to https:\/\/www\.example\.org/],
    [401, /answers 401/],
    [502, /does not reach us/],
    [200, /does not know our probe/],
  ])('somebody else answers %i', async (status, seen) => {
    proxy.status = status
    const [finding] = await found('proxy')
    expect(finding).toMatchObject({
      check: 'issuer.reachable',
      state: 'broken',
      seen: expect.stringMatching(seen),
    })
    expect(finding?.fix).not.toBe('')
  })

  test('a certificate that nobody trusts is what is to be mended, not the server', async () => {
    listener.setSecureContext({ cert: selfSigned.cert, key: selfSigned.key })
    const [finding] = await found('proxy')
    expect(finding).toMatchObject({
      check: 'issuer.reachable',
      fix: expect.stringContaining('mend the certificate'),
    })
  })

  test('somebody who never answers, or answers what no server of ours would, holds nothing up', async () => {
    const never = { ...world, fetch: () => new Promise<Response>(() => {}) }
    const waiting = { ...patient, world: { ...patient.world, ...never } }
    const names = ['proxy', 'cookies', 'discovery', 'clock.issuer']
    const findings = await examine(waiting, {
      only: ({ name }) => names.includes(name),
      longestMs: 200,
    })
    expect(findings.map(({ check, state }) => `${check} ${state}`)).toEqual(
      names.map((name) => `${name} skipped`),
    )
    for (const body of ['', '[]', '{"received":{},"understood":{}}', '{"issuer":1}']) {
      const odd = { ...patient.world, fetch: async () => new Response(body) }
      const [finding] = await look({ ...patient, world: odd }, 'proxy')
      expect(finding).toMatchObject({ check: 'issuer.reachable', state: 'broken' })
    }
    await behind.database.db.deleteFrom('doctorProbes').execute()
  })

  test('the server has another issuer than the command', async () => {
    const config = { ...behind.config, issuer: `https://localhost:${port}` }
    const seen = { ...answer(), issuer: 'https://old.example.org' }
    expect(complaints(judgeProbe(config, seen, undefined))).toEqual([
      expect.objectContaining({
        check: 'issuer.setting',
        fix: expect.stringContaining('ISSUER=https://old.example.org'),
      }),
    ])
  })

  test('a proxy that is not named and says nothing is noticed by the TLS that ended elsewhere', () => {
    const seen = answer({
      trusted: false,
      forwardedFor: null,
      forwardedProto: null,
      peer: '172.18.0.1',
    })
    const [finding] = complaints(judgeProbe({ issuer, production: true }, seen, undefined)).filter(
      ({ check }) => check === 'proxy.trust',
    )
    expect(finding?.fix).toMatch(/^TRUSTED_PROXIES="172\.18\.0\.1"/)
  })

  function answer(received: Partial<ProbeAnswer['received']> = {}): ProbeAnswer {
    return {
      issuer,
      trustedProxies: [],
      clientCertHeader: null,
      received: {
        host: `localhost:${port}`,
        forwardedHost: null,
        forwardedProto: 'https',
        forwardedFor: '198.51.100.7',
        peer: '127.0.0.1',
        trusted: true,
        encrypted: false,
        certificate: false,
        ...received,
      },
      understood: { scheme: 'https', host: `localhost:${port}`, address: '198.51.100.7' },
    }
  }
})

describe('cookies and discovery, as they arrive', () => {
  const cookies = (change: (cookie: string) => string) => (headers: IncomingHttpHeaders) => ({
    ...headers,
    ...(headers['set-cookie'] ? { 'set-cookie': headers['set-cookie'].map(change) } : {}),
  })

  test.each<[what: string, Faults['response'], expected: string]>([
    ['Secure is taken away', cookies((c) => c.replace(/; secure/i, '')), 'Secure'],
    ['HttpOnly is taken away', cookies((c) => c.replace(/; httponly/i, '')), 'HttpOnly'],
    ['a Domain is added', cookies((c) => `${c}; Domain=example.org`), 'no Domain'],
    ['the path is rewritten', cookies((c) => c.replace(/path=\/(?=;|$)/i, 'Path=/idp')), 'Path=/'],
    [
      'SameSite is weakened',
      cookies((c) => c.replace(/samesite=lax/i, 'SameSite=None')),
      'SameSite=Lax',
    ],
    ['none arrives', ({ 'set-cookie': _, ...headers }) => headers, 'the cookies of a sign-in'],
  ])('%s', async (_, change, expected) => {
    proxy.response = change
    const findings = await found('cookies')
    expect(new Set(findings.map((finding) => finding.expected))).toEqual(new Set([expected]))
    expect(findings[0]?.fix).not.toBe('')
  })

  test('a Location that the proxy rewrites leads elsewhere', async () => {
    proxy.response = ({ location, ...headers }) => ({
      ...headers,
      ...(location ? { location: 'https://inner.example.org/' } : {}),
    })
    expect(await found('cookies')).toEqual([
      expect.objectContaining({
        seen: expect.stringContaining('https://inner.example.org'),
        fix: expect.stringContaining('proxy_redirect off'),
      }),
    ])
  })

  test('a clock that is wrong is told against the issuer', async () => {
    proxy.response = (headers) => ({
      ...headers,
      date: new Date(Date.now() - 600_000).toUTCString(),
    })
    expect(await found('clock.issuer')).toEqual([
      expect.objectContaining({
        check: 'clock.issuer',
        state: 'broken',
        fix: expect.stringContaining('set-ntp'),
      }),
    ])
  })
})

describe('the certificate', () => {
  test.each([
    ['has ended', expired, ['tls.chain', 'tls.expiry'], /renew/],
    ['ends soon', endsSoon, ['tls.expiry'], /renew/],
    ['is signed by itself', selfSigned, ['tls.chain'], /authority/],
    ['is another host’s', ofAnother, ['tls.name'], /certificate for localhost/],
  ])('%s', async (_, { cert, key }, names, fix) => {
    listener.setSecureContext({ cert, key })
    const findings = await found('tls')
    expect(findings.map(({ check }) => check)).toEqual(names)
    expect(findings[0]?.fix).toMatch(fix)
  })
})

describe('the probe tells nothing to strangers', () => {
  const knock = (token: string) => fetch(direct, { headers: { 'idp-probe': token } })

  test('a token is good once, of many at once too', async () => {
    const token = await issueProbe(behind.database.db)
    const statuses = await Promise.all(
      Array.from({ length: rounds }, async () => (await knock(token)).status),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect((await knock(token)).status).toBe(421)
  })

  test('an address with another token, or none, is one that is not there', async () => {
    const headers = { host: `localhost:${port}`, 'idp-probe': randomToken() }
    const ask = secureFetch({ ca: authority.cert })
    const replies = await Promise.all([
      ask(`${issuer}/doctor/probe`, { headers }),
      ask(`${issuer}/doctor/probe`),
      ask(`${issuer}/nowhere/probe`),
    ])
    const bodies = await Promise.all(
      replies.map(async (reply) => (await reply.text()).replace(/[\w-]{16,}|doctor|nowhere/g, '')),
    )
    expect(replies.map(({ status }) => status)).toEqual([404, 404, 404])
    expect(new Set(bodies).size).toBe(1)
  })

  test('a token that is too old opens nothing, and only hashes are kept', async () => {
    const { db, pool } = behind.database
    const token = await issueProbe(db)
    const [row] = await db.selectFrom('doctorProbes').selectAll().execute()
    expect(row?.tokenHash).toEqual(sha256(token))
    const left = (row?.expiresAt.getTime() ?? 0) - Date.now()
    expect(left).toBeLessThan(65_000)
    await db
      .updateTable('doctorProbes')
      .set({ expiresAt: new Date(Date.now() - 1000) })
      .execute()
    expect(await takeProbe(pool, token)).toBe(false)
    await db.deleteFrom('doctorProbes').execute()
  })

  test('an examination leaves no token behind, and none in the log', async () => {
    await look(patient, 'proxy')
    proxy.status = 502
    await look(patient, 'proxy')
    expect(await behind.database.db.selectFrom('doctorProbes').selectAll().execute()).toEqual([])
    const asked = behind.log.filter((line) => line.includes('/doctor/probe'))
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.join('')).not.toMatch(/[\w-]{43}/)
  })
})
