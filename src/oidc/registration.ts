/**
 * The door for apps that register themselves (RFC 7591) and manage what they registered (RFC 7592). The engine's own
 * endpoint would hand out what only we may set and wants secrets that can be read, so this is ours.
 */
import type { Context, Middleware } from 'koa'
import { type Client, findStoredClient, secretMatches, wholeScope } from '../clients/clients.ts'
import { type EngineCheck, usesSecret } from '../clients/metadata.ts'
import type { Problem } from '../clients/rules/problem.ts'
import {
  findManaged,
  registerClient,
  removeClient,
  replaceClient,
} from '../clients/self-registration.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'

type Options = {
  issuer: string
  db: Db
  engineCheck: EngineCheck
  readJson(ctx: Context): Promise<unknown>
  /** This process forgets what it knew of clients at once; others hear of it within two seconds. */
  forget(): void
  /** Counts one try from this request's address; throws 429. */
  limit(ctx: Context, name: 'registration' | 'management'): Promise<void>
}

const endpoint = '/oauth2/register'
const managed = /^\/oauth2\/register\/([A-Za-z0-9_-]{1,128})$/
/** RFC 7592 §2.2: they are ours to say. */
const forbidden = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]
const longestToken = 200

export function createRegistration(options: Options): Middleware {
  const { db, issuer, engineCheck } = options

  return async function registration(ctx, next) {
    const [, id] = managed.exec(ctx.path) ?? []
    if (ctx.path !== endpoint && id === undefined) return next()
    ctx.set('Cache-Control', 'no-store')
    ctx.state.route = id === undefined ? endpoint : `${endpoint}/:client`
    await options.limit(ctx, id === undefined ? 'registration' : 'management')
    if (id === undefined) return only(ctx, { POST: () => register(ctx) })
    await only(ctx, {
      GET: () => read(ctx, id),
      PUT: () => replace(ctx, id),
      DELETE: () => remove(ctx, id),
    })
  }

  async function register(ctx: Context): Promise<void> {
    const token = bearerOf(ctx)
    if (!token) return unauthorized(ctx)
    const body = await objectOf(ctx)
    if (!body) return invalid(ctx)
    const done = await registerClient(db, token, body, { engineCheck, origin: ctx.state.origin })
    if (!done.ok) return done.reason === 'invalid' ? invalid(ctx, done.problems) : unauthorized(ctx)
    options.forget()
    ctx.status = 201
    ctx.body = information(done.client, done.managementToken, done.secret)
  }

  async function read(ctx: Context, id: string): Promise<void> {
    const token = bearerOf(ctx)
    const client = token && (await findManaged(db, id, token))
    if (!token || !client) return unauthorized(ctx)
    if (client.disabledAt) return suspended(ctx)
    ctx.body = information(client, token)
  }

  async function replace(ctx: Context, id: string): Promise<void> {
    const token = bearerOf(ctx)
    const client = token && (await findManaged(db, id, token))
    if (!token || !client) return unauthorized(ctx)
    if (client.disabledAt) return suspended(ctx)
    const body = await objectOf(ctx)
    if (!body) return invalid(ctx)
    const given = forbidden.find((field) => body[field] !== undefined)
    if (given) return refuse(ctx, 400, 'invalid_request', `${given} must not be sent`)
    if (body.client_id !== id) {
      return refuse(ctx, 400, 'invalid_request', 'client_id must be the one of this client')
    }
    if (body.client_secret !== undefined && !(await isItsSecret(id, body.client_secret))) {
      return refuse(ctx, 400, 'invalid_request', 'client_secret is not the one of this client')
    }
    const done = await replaceClient(db, { id, token }, body, {
      engineCheck,
      origin: ctx.state.origin,
    })
    if (!done.ok) return done.reason === 'invalid' ? invalid(ctx, done.problems) : unauthorized(ctx)
    options.forget()
    ctx.body = information(done.client, token, done.secret)
  }

  async function remove(ctx: Context, id: string): Promise<void> {
    const token = bearerOf(ctx)
    const gone = token && (await removeClient(db, { id, token }, { origin: ctx.state.origin }))
    if (!gone) return unauthorized(ctx)
    options.forget()
    ctx.status = 204
  }

  async function objectOf(ctx: Context): Promise<Record<string, unknown> | undefined> {
    const body = await options.readJson(ctx)
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
    return isObject ? (body as Record<string, unknown>) : undefined
  }

  async function isItsSecret(id: string, presented: unknown): Promise<boolean> {
    const client = await findStoredClient(db, id)
    return typeof presented === 'string' && client !== undefined && secretMatches(client, presented)
  }

  /** What RFC 7591 §3.2.1 gives back, and nothing of what only we set. A secret is stored as a hash: shown when made. */
  function information(client: Client, managementToken: string, secret?: string): object {
    const { metadata, id } = client
    const scope = wholeScope(client)
    return {
      client_id: id,
      client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
      ...(secret === undefined ? {} : { client_secret: secret }),
      ...(usesSecret(metadata) ? { client_secret_expires_at: expiryOf(client) } : {}),
      ...metadata,
      ...(scope === '' ? {} : { scope }),
      registration_client_uri: `${issuer}${endpoint}/${id}`,
      registration_access_token: managementToken,
    }
  }
}

/** In seconds since 1970 of the secret that lasts longest; 0: none ends by itself. */
function expiryOf({ secrets }: Client): number {
  const ends = secrets.map(({ expiresAt }) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY)
  const last = Math.max(0, ...ends)
  return Number.isFinite(last) ? Math.floor(last / 1000) : 0
}

async function only(ctx: Context, verbs: Record<string, () => Promise<void>>): Promise<void> {
  const act = verbs[ctx.method]
  if (act) return act()
  ctx.set('Allow', Object.keys(verbs).join(', '))
  throw new AppError('method_not_allowed', 405)
}

function bearerOf(ctx: Context): string | undefined {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(ctx.get('Authorization')) ?? []
  return token && token.length <= longestToken ? token : undefined
}

function unauthorized(ctx: Context): void {
  const presented = ctx.get('Authorization') !== ''
  ctx.set('WWW-Authenticate', presented ? 'Bearer error="invalid_token"' : 'Bearer')
  refuse(ctx, 401, 'invalid_token', 'the token is missing, wrong, used up or has ended')
}

/** RFC 7592 §2.1: it exists and may not be managed. */
function suspended(ctx: Context): void {
  refuse(ctx, 403, 'access_denied', 'an operator has disabled this client')
}

/** Every field that is wrong, by name; the code follows the first (RFC 7591 §3.2.2). */
function invalid(ctx: Context, problems?: Problem[]): void {
  const [first] = problems ?? []
  const code = first?.field === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata'
  const words = problems?.map(({ field, message }) => `${field} ${message}`).slice(0, 10)
  refuse(ctx, 400, code, words?.join('; ') ?? 'the body is not a JSON object')
}

function refuse(ctx: Context, status: number, error: string, description: string): void {
  ctx.status = status
  ctx.body = { error, error_description: inOAuth(description) }
}

/** The characters that RFC 6749 §5.2 has in a description. */
function inOAuth(text: string): string {
  return text
    .replace(/[“”"]/g, "'")
    .replace(/’/g, "'")
    .replace(/…/g, '...')
    .replace(/§/g, 'section ')
    .replace(/\\/g, '/')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 1500)
}
