/**
 * The one way out: every address that somebody else chose (jwks_uri, sector_identifier_uri, back-channel logout)
 * is called through here. It is judged first (judge.ts) and the connection goes to what was judged, so that no
 * second DNS answer, redirect or proxy leads elsewhere. Small answers, in time, or none.
 */
import { lookup } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { isPublicAddress } from './addresses.ts'
import { failureOf, OutgoingError } from './errors.ts'
import { type Address, createJudge, type Resolve, type Target } from './judge.ts'
import { allowedTargets } from './targets.ts'

export type OutgoingRequest = {
  method?: string | undefined
  headers?: HeadersInit | undefined
  body?: string | undefined
  signal?: AbortSignal | undefined
  /** For everything together, from the question to DNS to the last byte. */
  timeoutMs?: number
  maxBytes?: number
  /** Only the status matters: the answer is cut off after it. */
  statusOnly?: boolean
}

/** Like the global `fetch`, but a redirect is an answer like any other. Rejects with an `OutgoingError`. */
export type OutgoingFetch = (url: string, request?: OutgoingRequest) => Promise<Response>

export type Outgoing = { fetch: OutgoingFetch }

const defaultTimeoutMs = 2500
const defaultMaxBytes = 64 * 1024

/** Throws when the guard itself does not work, so that no server starts without it. */
export function createOutgoing(options: {
  issuer: string
  allowPrivateTargets: readonly string[]
  resolve?: Resolve
}): Outgoing {
  proveGuard()
  const judge = createJudge({
    issuer: options.issuer,
    allowed: allowedTargets(options.allowPrivateTargets),
    resolve: options.resolve ?? ((host) => lookup(host, { all: true, order: 'verbatim' })),
  })
  // Own agents: the global ones may have been told to use a proxy, which would connect where it likes (SS-14).
  const agents = { 'http:': new http.Agent(), 'https:': new https.Agent() }

  return {
    async fetch(url, request = {}) {
      const { timeoutMs = defaultTimeoutMs, signal: given } = request
      const deadline = AbortSignal.timeout(timeoutMs)
      const signal = given ? AbortSignal.any([given, deadline]) : deadline
      return send(await judge(url, signal), { ...request, signal })
    },
  }

  function send(
    { url, addresses }: Target,
    request: OutgoingRequest & { signal: AbortSignal },
  ): Promise<Response> {
    const { method = 'GET', headers, body, signal } = request
    const protocol = url.protocol as 'http:' | 'https:'
    const call = protocol === 'https:' ? https.request : http.request
    return new Promise((answer, reject) => {
      const outgoing = call(url, {
        method,
        headers: { 'user-agent': 'idp', ...withoutEmpty(headers) },
        agent: agents[protocol],
        lookup: pinTo(addresses),
        signal,
        // Also where somebody has switched it off for the whole process.
        rejectUnauthorized: true,
      })
      const fail = (cause: unknown) =>
        reject(failureOf(cause, { host: url.host, signal, otherwise: 'unreachable' }))
      outgoing.on('error', fail)
      outgoing.on('response', (incoming) => receive(incoming, request).then(answer, fail))
      outgoing.end(body)
    })
  }
}

/** A `lookup` that knows one answer, whoever asks and however often (SS-07). */
function pinTo(addresses: Address[]): LookupFunction {
  return (_host, options, done) => {
    const [first] = addresses
    if (options.all) done(null, addresses)
    else done(null, first?.address ?? '', first?.family)
  }
}

async function receive(incoming: IncomingMessage, request: OutgoingRequest): Promise<Response> {
  const { maxBytes = defaultMaxBytes, statusOnly = false } = request
  const { statusCode: status = 0, rawHeaders } = incoming
  const headers = new Headers()
  rawHeaders.forEach((name, index) => {
    if (index % 2 === 0) headers.append(name, rawHeaders[index + 1] ?? '')
  })
  if (statusOnly) incoming.destroy()
  const body = statusOnly ? null : await readUpTo(incoming, maxBytes)
  return new Response([204, 205, 304].includes(status) ? null : body, { status, headers })
}

async function readUpTo(incoming: IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let size = 0
  // Leaving the loop ends the connection, and with it an answer without end (SS-11).
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new OutgoingError('too-large', 'the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The engine writes an empty value where it wants a header left out. */
function withoutEmpty(headers: HeadersInit | undefined): Record<string, string> {
  return Object.fromEntries([...new Headers(headers)].filter(([, value]) => value !== ''))
}

function proveGuard(): void {
  const inside = ['127.0.0.1', '::1', '::ffff:127.0.0.1', '169.254.169.254', '10.0.0.1', 'fd00::1']
  if (inside.some(isPublicAddress) || !isPublicAddress('1.1.1.1')) {
    throw new Error('the guard of outgoing requests takes private addresses for public ones')
  }
}
