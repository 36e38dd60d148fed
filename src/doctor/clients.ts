/** Each client: does what is stored keep the rules of today and the engine's, and do the addresses answer that we call? */
import { setImmediate } from 'node:timers/promises'
import { type Client, listClients } from '../clients/clients.ts'
import { runEngineCheck } from '../clients/engine-check.ts'
import { checkMetadata, type EngineCheck, type Problem } from '../clients/metadata.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

/** More are not asked at once, nor in all: whoever has so many apps has other eyes on them. */
const atOnce = 8
const mostAddresses = 200
const timeoutMs = 2500

export async function checkClients({ database, engineCheck }: Patient): Promise<Finding[]> {
  if (!database) return []
  const clients = await listClients(database.db)
  const findings: Finding[] = []
  for (const [index, client] of clients.entries()) {
    // A server that looks at itself answers people in between.
    if (index % 10 === 0) await setImmediate()
    findings.push(...(await judgeClient(client, engineCheck)))
  }
  return findings.length > 0 ? findings : [ok('clients.rules', `${clients.length} keep the rules`)]
}

/** Empty when the stored client is as it should be. */
export async function judgeClient(client: Client, engineCheck: EngineCheck): Promise<Finding[]> {
  const problems = await listProblems(client, engineCheck)
  return problems.map(({ field, message, fix }) =>
    broken('clients.rules', `${nameOf(client)}: ${field} ${message}`, {
      expected: 'a registration that may be stored today',
      fix: `${fix} (idp clients update ${client.id})`,
    }),
  )
}

async function listProblems(client: Client, engineCheck: EngineCheck): Promise<Problem[]> {
  try {
    return [
      ...checkMetadata(client.metadata, client),
      ...(await runEngineCheck(engineCheck, client.id, client.metadata)),
    ]
  } catch (error) {
    // Written behind our back: the rules stumble over what no door lets in.
    const message = `cannot be read (${(error as Error).message})`
    return [{ field: 'metadata', code: 'unreadable', message, fix: 'Write it anew.' }]
  }
}

type Address = {
  client: Client
  field: string
  uri: string
  /** By us; otherwise only browsers go there. */
  calledByUs: boolean
}

/** `answers` of whatever an app has for us and for browsers; those that registered themselves are left in peace. */
export async function checkClientAddresses({ database, world }: Patient): Promise<Finding[]> {
  const check = 'clients.addresses'
  if (!database) return []
  const clients = await listClients(database.db)
  const all = clients
    .filter(({ preset, disabledAt }) => preset !== 'registered' && disabledAt === null)
    .flatMap(addressesOf)
  const addresses = all.slice(0, mostAddresses)
  const findings: Finding[] = []
  const next = addresses.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const address of next) findings.push(...(await tryAddress(world.outgoing, address)))
    }),
  )
  if (all.length > addresses.length) {
    findings.push(skipped(check, `${all.length - addresses.length} of ${all.length} addresses`))
  }
  const fine = !findings.some(({ state }) => state === 'broken' || state === 'warning')
  return fine ? [ok(check, fineWords(addresses.length)), ...findings] : findings
}

function fineWords(count: number): string {
  return count === 0 ? 'no client has any' : `${count} answer, or are inside your network`
}

function addressesOf(client: Client): Address[] {
  const { metadata } = client
  const called = [
    'jwks_uri',
    'backchannel_logout_uri',
    'backchannel_client_notification_endpoint',
  ] as const
  const own = called.flatMap((field) => {
    const uri = metadata[field]
    return uri === undefined ? [] : [{ client, field, uri, calledByUs: true }]
  })
  const seen = new Set<string>()
  const browsed = [
    ...metadata.redirect_uris.map((uri) => ['redirect_uris', uri] as const),
    ...metadata.post_logout_redirect_uris.map((uri) => ['post_logout_redirect_uris', uri] as const),
    ...(metadata.frontchannel_logout_uri
      ? [['frontchannel_logout_uri', metadata.frontchannel_logout_uri] as const]
      : []),
  ].flatMap(([field, uri]) => {
    const url = URL.parse(uri)
    // One address of each host is enough, and schemes of apps on a phone lead nowhere from here.
    if (url?.protocol !== 'https:' || seen.has(url.host)) return []
    seen.add(url.host)
    return [{ client, field, uri, calledByUs: false }]
  })
  return [...own, ...browsed]
}

async function tryAddress(outgoing: OutgoingFetch, address: Address): Promise<Finding[]> {
  try {
    const isKeySet = address.field === 'jwks_uri'
    const response = await outgoing(address.uri, { timeoutMs, statusOnly: !isKeySet })
    const keys = isKeySet ? await keysOf(response) : undefined
    return judgeAnswer(address, { status: response.status, keys })
  } catch (error) {
    if (!(error instanceof OutgoingError)) throw error
    return judgeAnswer(address, { error })
  }
}

async function keysOf(response: Response): Promise<number> {
  const json = (await response.json().catch(() => undefined)) as { keys?: unknown } | undefined
  return Array.isArray(json?.keys) ? json.keys.length : 0
}

/** Nothing to say where it answers, or where only browsers have to reach it. */
export function judgeAnswer(
  { client, field, uri, calledByUs }: Address,
  answer: { status: number; keys: number | undefined } | { error: OutgoingError },
): Finding[] {
  const check = 'clients.addresses'
  const where = `${nameOf(client)}: ${field} ${uri}`
  if ('error' in answer) {
    const { reason, refused, message } = answer.error
    if (!calledByUs) {
      if (refused) return []
      return [
        warning(check, `${where}: ${message}`, {
          expected: 'an app that answers',
          fix: 'is the app up? (seen from here; people’s browsers may see it differently)',
        }),
      ]
    }
    const url = new URL(uri)
    const target = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`
    const fix =
      reason === 'private' || reason === 'port'
        ? `if it is meant: ALLOW_PRIVATE_TARGETS=${target}`
        : refused
          ? `idp clients update ${client.id}, with an https address`
          : `is it up, and is ${url.hostname} its name?`
    const finding = refused ? broken : warning
    return [
      finding(check, `${where}: ${message}`, { expected: 'an address that we can call', fix }),
    ]
  }
  const { status, keys } = answer
  if (field === 'jwks_uri' && (status !== 200 || !keys)) {
    const seen = status === 200 ? 'has no keys' : `answers ${status}`
    return [
      broken(check, `${where}: ${seen}`, {
        expected: '200 with a key set (RFC 7517)',
        fix: `mend it at the app, or: idp clients update ${client.id} --jwks-uri URI`,
      }),
    ]
  }
  if (status < 500) return []
  return [
    warning(check, `${where}: answers ${status}`, {
      expected: 'an app that is well',
      fix: 'look at the app',
    }),
  ]
}

function nameOf({ name, id }: Client): string {
  return name === id ? id : `${name} (${id})`
}
