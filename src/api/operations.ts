/**
 * What a door of JSON offers, as data: each operation with its address, the schemas of what comes and goes, who may call it
 * and how it refuses. A door is a table of these and a handler for each; the routes and the OpenAPI document
 * (openapi.ts) are made of the same table, so that neither says anything that the other does not.
 */
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import type { z } from 'zod'
import type { OwnScope } from '../clients/own-api.ts'
import { AppError, type FieldError } from '../errors.ts'
import { oneSpelling } from '../http/one-spelling.ts'
import type { Bearer, Caller } from './bearer.ts'
import { refuseOtherVerbs } from './other-verbs.ts'
import { parseJson } from './parse.ts'

export type Operation = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** `{name}` stands for what `params` describes. */
  path: `/api/${string}`
  tag: string
  summary: string
  /** Access tokens of ours with this scope; without it `security` says who may call. */
  scope?: OwnScope
  /** A person stands behind the token. */
  person?: true
  /** A recent sign-in, and a strong one of whoever has a second factor (RFC 9470). */
  sensitive?: true
  /** What the roles of the caller have to allow besides, as `action:type`. */
  permission?: `${string}:${string}`
  /** Whether a change says what it was made upon (RFC 9110 §13.1.1); `required`: 428 where it does not (RFC 6585). */
  ifMatch?: 'required' | 'optional'
  /** Takes an Idempotency-Key, by which a repetition makes nothing twice. */
  idempotent?: true
  security?: readonly object[]
  /** What stands in the path, by name; an `id` that is not described is a UUID. */
  params?: Readonly<Record<string, z.ZodType>>
  query?: z.ZodObject
  /** JSON; `upload` for a body that is bytes, by their types. */
  body?: z.ZodType
  upload?: readonly string[]
  /** Names of headers that may come along. */
  headers?: readonly string[]
  /** Without a schema nothing is answered but the status. */
  answer: readonly [status: number, description: string, schema?: z.ZodType]
  /** Statuses of its own; what the token, a body and the limits bring is added by the table (refusalsOf). */
  refused?: readonly number[]
}

/** By operationId. */
export type Operations = Record<string, Operation>

type Out<T> = T extends z.ZodType ? z.output<T> : undefined

export type Call<O extends Operation> = {
  ctx: Context
  /** What stands in the path. */
  params: Record<string, string>
  body: O extends { body: infer B } ? Out<B> : undefined
  query: O extends { query: infer Q } ? Out<Q> : undefined
  caller: O extends { scope: OwnScope } ? Called<O> : undefined
}

type Called<O> = O extends { person: true }
  ? Caller & Required<Pick<Caller, 'accountId' | 'account' | 'grantId'>>
  : Caller

type Answer<O extends Operation> = O['answer'] extends readonly [number, string, infer S]
  ? S extends z.ZodType
    ? z.input<S>
    : never
  : undefined

/** What is returned is the body; the status is the table's. Refusals are thrown as AppErrors. */
export type Handlers<Table extends Operations> = {
  [Id in keyof Table]: (
    call: Call<Table[Id]>,
  ) => Promise<Answer<Table[Id]>> | (Answer<Table[Id]> extends undefined ? Promise<void> : never)
}

/** Every status that an operation may refuse with. */
export function refusalsOf(operation: Operation): number[] {
  const { path, scope, body, upload, query, ifMatch, idempotent, refused = [] } = operation
  return [
    ...new Set([
      ...(ifMatch ? [412] : []),
      ...(ifMatch === 'required' ? [428] : []),
      ...(idempotent ? [400, 409, 422] : []),
      ...(scope ? [401, 403, 429] : []),
      // A path may hold what nothing can be called.
      ...(body || query || path.includes('{') ? [400] : []),
      ...(body || upload ? [413, 415] : []),
      ...refused,
    ]),
  ].sort()
}

type Doors = {
  bearer: Bearer
  /** Whether the caller's roles allow it; `params` are what stands in the path. */
  admit?(ctx: Context, caller: Caller, operation: Operation, given: Given): Promise<void>
  /** Asks for more of whoever calls something sensitive. */
  demandSignIn?(ctx: Context, caller: Caller): Promise<void>
}

export type Given = { params: Record<string, string>; query: Record<string, unknown> }

/** The routes of a table; other verbs at its addresses are 405. */
export function routesOf<Table extends Operations>(
  table: Table,
  handlers: Handlers<Table>,
  { bearer, admit, demandSignIn }: Doors,
): Middleware[] {
  const router = new Router(oneSpelling)
  for (const [id, operation] of Object.entries<Operation>(table)) {
    const handle = handlers[id] as (call: object) => Promise<unknown>
    const path = operation.path.replace(/\{(\w+)\}/g, ':$1')
    router[operation.method](path, async (ctx) => {
      const { scope, person, sensitive, answer, query } = operation
      const caller = scope && (await bearer.requireToken(ctx, { scope, person: person === true }))
      const params = ctx.params as Record<string, string>
      const asked = query && parseQuery(ctx, query)
      if (caller) await admit?.(ctx, caller, operation, { params, query: asked ?? {} })
      if (caller && sensitive) await demandSignIn?.(ctx, caller)
      const body = operation.body && (await parseJson(ctx, operation.body))
      const told = await handle({ ctx, params, caller, query: asked, body })
      ctx.status = answer[0]
      if (answer[2]) ctx.body = told
    })
  }
  return [router.routes() as Middleware, refuseOtherVerbs(router)]
}

/** A repeated one is none, and what is not known is refused, as in bodies. */
function parseQuery(ctx: Context, schema: z.ZodObject): Record<string, unknown> {
  const { data, error } = schema.safeParse({ ...ctx.query })
  if (!error) return data
  const fields: FieldError[] = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((field) => ({ field, code: 'unknown_field' }))
      : [{ field: issue.path.join('.'), code: 'invalid' }],
  )
  throw new AppError('invalid_request', 400, { fields, cause: error })
}

/** Whose name a schema has in the document. */
const names = new WeakMap<z.ZodType, string>()

/** Gives a schema its name among the components of the document; it is written there once. */
export function named<T extends z.ZodType>(name: string, schema: T): T {
  names.set(schema, name)
  return schema
}

export function nameOf(schema: z.ZodType): string | undefined {
  return names.get(schema)
}
