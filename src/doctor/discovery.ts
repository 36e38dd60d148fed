/** What apps read first, read from inside: the issuer letter by letter, endpoints that answer, keys that sign. */
import type { Queryable } from '../database/reader.ts'
import { broken, type Finding, ok, skipped } from './finding.ts'
import type { Patient } from './patient.ts'
import { ask, jsonOf } from './request.ts'

const documents = ['openid-configuration', 'oauth-authorization-server']

export async function checkDiscovery(patient: Patient): Promise<Finding[]> {
  const { config, world, database } = patient
  const findings: Finding[] = []
  let metadata: Record<string, unknown> | undefined
  for (const name of documents) {
    const reply = await ask(world.fetch, `${config.issuer}/.well-known/${name}`)
    if (!reply.ok) return [skipped('discovery', `no answer: ${reply.words}`)]
    const json = reply.status === 200 ? jsonOf(reply) : undefined
    const seen = json ? String(json.issuer ?? 'no issuer') : `answers ${reply.status}`
    findings.push(judgeIssuer(name, config.issuer, seen))
    metadata ??= json
  }
  if (metadata?.issuer !== config.issuer) return findings
  const endpoints = listEndpoints(metadata)
  const statuses = await Promise.all(
    endpoints.map(async ([name, url]): Promise<[string, string]> => {
      if (new URL(url).origin !== new URL(config.issuer).origin) return [name, 'elsewhere']
      const reply = await ask(world.fetch, url)
      return [name, reply.ok ? String(reply.status) : reply.words]
    }),
  )
  findings.push(judgeEndpoints(statuses))
  const keySet = await ask(world.fetch, String(metadata.jwks_uri))
  const published = keySet.ok && keySet.status === 200 ? jsonOf(keySet)?.keys : undefined
  const signing = database ? await listSigning(database.pool) : []
  findings.push(judgeKeySet(published, signing))
  return findings
}

export function judgeIssuer(document: string, issuer: string, seen: string): Finding {
  const check = 'discovery.issuer'
  if (seen === issuer) return ok(check, `${document} says ${seen}`)
  return broken(check, `${document} says ${seen}`, {
    expected: `${issuer}, letter by letter`,
    fix: 'give the server this ISSUER, and pass /.well-known/ on to it unchanged',
  })
}

function listEndpoints(metadata: Record<string, unknown>): [name: string, url: string][] {
  return Object.entries(metadata).flatMap(([name, value]): [string, string][] =>
    /_endpoint$/.test(name) && typeof value === 'string' && URL.canParse(value)
      ? [[name, value]]
      : [],
  )
}

/** Asked by GET and without anything: whatever is there refuses it, in its own words. */
export function judgeEndpoints(statuses: [name: string, status: string][]): Finding {
  const check = 'discovery.endpoints'
  const there = (status: string) =>
    /^[234]\d\d$/.test(status) && status !== '404' && status !== '421'
  const missing = statuses.filter(([, status]) => !there(status))
  if (missing.length === 0) return ok(check, `${statuses.length} endpoints answer`)
  return broken(check, missing.map(([name, status]) => `${name}: ${status}`).join(', '), {
    expected: 'each of them answers',
    fix: 'let the proxy pass every path on, /oauth2/ too',
  })
}

type Signing = { kid: string; alg: string }

async function listSigning(pool: Queryable): Promise<Signing[]> {
  const { rows } = await pool.query({
    text: `select kid, alg from signing_keys where state = 'current' order by alg`,
  })
  return rows as Signing[]
}

/** `published` is what stands under `keys`, or undefined where nothing could be read. */
export function judgeKeySet(published: unknown, signing: Signing[]): Finding {
  const check = 'discovery.keys'
  if (!Array.isArray(published)) {
    return broken(check, 'the key set cannot be read', {
      expected: 'JSON with keys (RFC 7517)',
      fix: 'pass /oauth2/jwks on to the server unchanged',
    })
  }
  const keys = published.filter(
    (key): key is Record<string, unknown> => typeof key === 'object' && key !== null,
  )
  if (keys.some((key) => ['d', 'p', 'q', 'k'].some((member) => member in key))) {
    return broken(check, 'the key set shows a private key', {
      expected: 'public keys alone',
      fix: 'that is not our server: idp keys rotate --now, then look who answers there',
    })
  }
  const kids = new Set(keys.map(({ kid }) => kid))
  const missing = signing.filter(({ kid }) => !kids.has(kid))
  if (missing.length === 0) return ok(check, `${keys.length} keys, those that sign among them`)
  return broken(check, `the key of ${missing.map(({ alg }) => alg).join(', ')} is not in it`, {
    expected: 'each key that signs ID tokens',
    fix: 'restart the server, and keep no proxy cache for longer than JWKS_MAX_AGE',
  })
}
