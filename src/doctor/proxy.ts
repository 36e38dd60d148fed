/** The issuer against what a request through the proxy really carries: scheme, host, port, and whose address. */
import { z } from 'zod'
import { type ProbeAnswer, probeHeader, probePath } from '../http/probe.ts'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'
import { forgetProbe, issueProbe } from './probe-tokens.ts'
import { ask, jsonOf, type NoReply, type Reply } from './request.ts'

/** Belongs to nobody (RFC 5737): where it is taken for the visitor's, anybody can be anybody. */
export const forgedAddress = '203.0.113.77'

const nginx = (line: string) => `in nginx: ${line}`
const passHost = `${nginx('proxy_set_header Host $http_host;')} (Apache: ProxyPreserveHost On; Caddy does so by itself)`

/** Two requests from outside: as a visitor's, and as that of one who pretends. */
export async function checkProxy(patient: Patient): Promise<Finding[]> {
  const { config } = patient
  const plain = await probe(patient, {})
  const found = readAnswer(plain)
  if (!found) {
    return [judgeSilence(config.issuer, plain, await runsHere(patient))]
  }
  const forged = await probe(patient, {
    'x-forwarded-for': forgedAddress,
    ...(found.clientCertHeader === null ? {} : { [found.clientCertHeader]: 'forged' }),
  })
  return [
    ok('issuer.reachable', `${config.issuer} leads to a server on this database`),
    ...judgeProbe(config, found, readAnswer(forged)),
  ]
}

/** Whether a server answers on this machine, past the proxy. */
async function runsHere({ config, world }: Patient): Promise<boolean> {
  if (config.tls) return false
  const anywhere = ['0.0.0.0', '::'].includes(config.host)
  const host = anywhere ? '127.0.0.1' : config.host.includes(':') ? `[${config.host}]` : config.host
  const reply = await ask(world.fetch, `http://${host}:${config.port}/healthz`)
  return reply.ok && reply.status === 200
}

async function probe(
  { config, world, database }: Patient,
  headers: Record<string, string>,
): Promise<Reply | NoReply> {
  if (!database) return { ok: false, words: 'the database is not reachable' }
  const token = await issueProbe(database.db)
  const reply = await ask(world.fetch, `${config.issuer}${probePath}`, {
    headers: { ...headers, [probeHeader]: token },
  })
  await forgetProbe(database.db, token)
  return reply
}

/** Whoever answers at the issuer may be anybody. */
const answerShape: z.ZodType<ProbeAnswer> = z.object({
  issuer: z.string(),
  trustedProxies: z.array(z.string()),
  clientCertHeader: z.string().nullable(),
  received: z.object({
    host: z.string().nullable(),
    forwardedHost: z.string().nullable(),
    forwardedProto: z.string().nullable(),
    forwardedFor: z.string().nullable(),
    peer: z.string(),
    trusted: z.boolean(),
    encrypted: z.boolean(),
    certificate: z.boolean(),
  }),
  understood: z.object({
    scheme: z.enum(['http', 'https']),
    host: z.string(),
    address: z.string(),
  }),
})

function readAnswer(reply: Reply | NoReply): ProbeAnswer | undefined {
  if (!reply.ok || reply.status !== 200) return undefined
  return answerShape.safeParse(jsonOf(reply)).data
}

/** Nobody, or somebody else, answers at the issuer. `runsHere`: a server answers on this machine. */
export function judgeSilence(issuer: string, reply: Reply | NoReply, runsHere: boolean): Finding {
  const check = 'issuer.reachable'
  const expected = `our server at ${issuer}`
  if (!reply.ok) {
    const fix = reply.words.includes('certificate')
      ? 'mend the certificate (tls below); where an authority of your own signed it: NODE_EXTRA_CA_CERTS'
      : runsHere
        ? 'the server runs, so look at DNS, the firewall and the proxy in front of it; from inside, too, the issuer must be reachable'
        : 'start the server: npm start (or set ISSUER to where it is)'
    return broken(check, reply.words, { expected, fix })
  }
  const { status, headers } = reply
  const target = URL.parse(headers.get('location') ?? '', issuer)
  if (status >= 300 && status < 400) {
    const to = target?.origin ?? 'elsewhere'
    const fix = `the proxy must pass requests on and not redirect them, or ISSUER is ${to}`
    return broken(check, `redirects to ${to}`, { expected, fix })
  }
  if (status === 401 || status === 403) {
    const fix = 'the proxy must not ask for anything itself: apps and browsers cannot answer'
    return broken(check, `answers ${status} instead of us`, { expected, fix })
  }
  if (status >= 502 && status <= 504) {
    const fix = 'start the server, and let the proxy pass on to its HOST and PORT'
    return broken(check, `a proxy answers ${status}: it does not reach us`, { expected, fix })
  }
  if (status === 429) return skipped(check, 'too many probes within a minute; try again')
  return broken(check, `somebody answers ${status} who does not know our probe`, {
    expected,
    fix: `give server and command the same DATABASE_URL or DATA_DIR and the same release, and let the proxy pass the header ${probeHeader} on`,
  })
}

type Settings = { issuer: string; production: boolean }

/** What arrived, line by line. `forged` is what arrived of a request that pretended. */
export function judgeProbe(
  config: Settings,
  plain: ProbeAnswer,
  forged: ProbeAnswer | undefined,
): Finding[] {
  return [
    judgeSetting(config, plain),
    judgeHost(config, plain),
    judgeScheme(config, plain),
    judgeTrust(config, plain),
    judgeAddress(config, plain, forged),
    ...judgeCertificates(forged),
  ]
}

function judgeSetting({ issuer }: Settings, answer: ProbeAnswer): Finding {
  const check = 'issuer.setting'
  if (answer.issuer === issuer) return ok(check, issuer)
  return broken(check, `the running server says ${answer.issuer}`, {
    expected: issuer,
    fix: `ISSUER=${answer.issuer} for this command, or restart the server with ISSUER=${issuer}`,
  })
}

function judgeHost(
  { issuer }: Settings,
  { received, understood, trustedProxies }: ProbeAnswer,
): Finding {
  const check = 'proxy.host'
  const { host, hostname, port, protocol } = new URL(issuer)
  const spelled = [host, ...(port ? [] : [`${host}:${protocol === 'https:' ? 443 : 80}`])]
  if (spelled.includes(understood.host)) return ok(check, understood.host)
  const seen = understood.host || 'no Host at all'
  const wrong = (fix: string) => broken(check, seen, { expected: host, fix })
  const { trusted, forwardedHost, peer } = received
  if (!trusted && forwardedHost !== null && spelled.includes(forwardedHost.toLowerCase())) {
    return wrong(`${trust(trustedProxies, peer)}, or ${passHost}`)
  }
  if (trusted && received.host !== null && spelled.includes(received.host.toLowerCase())) {
    return wrong(nginx('proxy_set_header X-Forwarded-Host "";'))
  }
  if (port !== '' && understood.host.replace(/:\d+$/, '') === hostname) {
    return wrong(
      `the port is lost: ${nginx('proxy_set_header Host $http_host;')} ($host leaves it out)`,
    )
  }
  return wrong(passHost)
}

function judgeScheme({ issuer }: Settings, { received, understood }: ProbeAnswer): Finding {
  const check = 'proxy.scheme'
  const expected = issuer.startsWith('https:') ? 'https' : 'http'
  if (understood.scheme === expected) return ok(check, expected)
  if (expected === 'http') {
    const fix = `ISSUER=${issuer.replace('http:', 'https:')}`
    return broken(check, 'requests come by https', { expected: 'http, as the issuer says', fix })
  }
  if (!received.trusted && received.forwardedProto !== null) {
    return skipped(check, `the peer says ${received.forwardedProto}, and is not believed`)
  }
  const seen =
    received.forwardedProto === null
      ? 'nobody says that the visitor came by https'
      : `the proxy says ${received.forwardedProto}`
  return warning(check, seen, {
    expected: 'X-Forwarded-Proto: https',
    fix: nginx('proxy_set_header X-Forwarded-Proto $scheme;'),
  })
}

function judgeTrust(
  { issuer, production }: Settings,
  { received, trustedProxies }: ProbeAnswer,
): Finding {
  const check = 'proxy.trust'
  const { peer, trusted, encrypted } = received
  if (trusted) return ok(check, `${peer} is a trusted proxy`)
  const fix = trust(trustedProxies, peer)
  if (saysAnything(received)) {
    const seen = `X-Forwarded-* from ${peer}, which is no trusted proxy, is ignored: all visitors share one address`
    const expected = `${peer} in TRUSTED_PROXIES`
    return production
      ? broken(check, seen, { expected, fix })
      : warning(check, seen, { expected, fix })
  }
  if (issuer.startsWith('https:') && !encrypted) {
    return broken(
      check,
      `${peer} ends TLS, is no trusted proxy, and says nothing of its visitors`,
      {
        expected: 'a trusted proxy that sends X-Forwarded-For',
        fix: `${fix}, and ${nginx('proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;')}`,
      },
    )
  }
  return ok(check, 'no proxy in between')
}

function judgeAddress(
  { issuer }: Settings,
  plain: ProbeAnswer,
  forged: ProbeAnswer | undefined,
): Finding {
  const check = 'proxy.address'
  const { received, understood } = plain
  const { trusted, encrypted, forwardedFor } = received
  if (!trusted) return ok(check, `visitors are seen as ${understood.address}`)
  const expected = 'each visitor’s own address'
  const fix = nginx('proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;')
  const proxied = saysAnything(received) || (issuer.startsWith('https:') && !encrypted)
  if (!proxied) return ok(check, 'no proxy in between')
  if (forged?.received.forwardedFor === forgedAddress) {
    const seen = 'the proxy passes X-Forwarded-For on as visitors wrote it: anybody can be anybody'
    return broken(check, seen, { expected, fix })
  }
  if (forwardedFor === null) {
    return broken(
      check,
      `all visitors are ${understood.address}: the proxy sends no X-Forwarded-For`,
      { expected, fix },
    )
  }
  return ok(check, `visitors are seen as ${understood.address}`)
}

function judgeCertificates(forged: ProbeAnswer | undefined): Finding[] {
  const check = 'proxy.certificates'
  const name = forged?.clientCertHeader
  if (!forged || !name) return []
  const { certificate, trusted } = forged.received
  if (!certificate || !trusted) return [ok(check, `nobody can bring ${name} along`)]
  return [
    broken(
      check,
      `the proxy passes ${name} on as visitors wrote it: anybody can show any certificate`,
      {
        expected: 'a header that only the proxy writes',
        fix: nginx(`proxy_set_header ${name} "";`),
      },
    ),
  ]
}

function saysAnything(received: ProbeAnswer['received']): boolean {
  return [received.forwardedFor, received.forwardedHost, received.forwardedProto].some(
    (value) => value !== null && value !== '',
  )
}

function trust(already: string[], peer: string): string {
  return `TRUSTED_PROXIES="${[...already, peer].join(' ')}"`
}
