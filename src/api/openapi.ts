/** What the JSON doors offer, as one OpenAPI 3.1 document, made of the tables and schemas that check the requests. */
import Router from '@koa/router'
import type { Middleware } from 'koa'
import { z } from 'zod'
import { ownApiIdentifier, ownScopes } from '../clients/own-api.ts'
import { oneSpelling } from '../http/one-spelling.ts'
import { allOperations } from './doors.ts'
import { nameOf, type Operation, refusalsOf } from './operations.ts'
import { refuseOtherVerbs } from './other-verbs.ts'
import { problem } from './schemas.ts'

const refusals: Record<number, string> = {
  400: 'Something in the request is wrong; `errors` names every field.',
  401: 'No access token, none that is good here, or one of a sign-in that is not recent or strong enough (RFC 9470); see WWW-Authenticate.',
  403: 'Not allowed here, or not by this token.',
  404: 'There is no such thing, or it is not yours.',
  409: 'It stands elsewhere, so this cannot be done now.',
  412: 'It has changed since it was read (If-Match).',
  413: 'The body is too large.',
  415: 'The body is of another type.',
  422: 'Understood, and against a rule; or an Idempotency-Key that came with another request before.',
  428: 'If-Match is missing: send the ETag of what you have read.',
  429: 'Too many in a short time; see Retry-After.',
  503: 'Busy; see Retry-After.',
}

const anyId = z.uuid().meta({ description: 'As the list gives it.' })

type Components = Record<string, object>

export function openApiDocument({ issuer, brandName }: { issuer: string; brandName: string }) {
  const components: Components = { Problem: describeSchema(problem, 'output') }
  const paths: Record<string, Record<string, object>> = {}
  for (const [operationId, operation] of Object.entries<Operation>(allOperations)) {
    const { path, method } = operation
    const item = paths[path] ?? {}
    item[method] = { operationId, ...describe(operation, components) }
    paths[path] = item
  }
  const scopes = Object.fromEntries(
    Object.entries(ownScopes).map(([name, { meaning }]) => [name, meaning]),
  )
  return {
    openapi: '3.1.0',
    info: {
      title: `${brandName} accounts`,
      version: '1',
      description: `Access tokens are asked for with \`resource=${ownApiIdentifier(issuer)}\`. Every error is application/problem+json (RFC 9457) with a stable \`code\`.`,
    },
    servers: [{ url: issuer }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        handle: {
          type: 'http',
          scheme: 'bearer',
          description: 'The handle of the registration or reset, told when it began.',
        },
        oauth: {
          type: 'oauth2',
          description: `An access token for ${ownApiIdentifier(issuer)}; one that is bound to a key comes with a DPoP proof.`,
          flows: {
            authorizationCode: {
              authorizationUrl: `${issuer}/oauth2/authorize`,
              tokenUrl: `${issuer}/oauth2/token`,
              refreshUrl: `${issuer}/oauth2/token`,
              scopes,
            },
            clientCredentials: { tokenUrl: `${issuer}/oauth2/token`, scopes },
          },
        },
      },
    },
  }
}

function describe(operation: Operation, components: Components): object {
  const { summary, tag, scope, security, sensitive, permission, body, upload, answer } = operation
  const [status, description, schema] = answer
  const problems = refusalsOf(operation).map((code) => [
    code,
    { description: refusals[code], content: { 'application/problem+json': refer(problem) } },
  ])
  const parameters = parametersOf(operation)
  const content = body
    ? { 'application/json': { schema: place(body, 'input', components) } }
    : Object.fromEntries((upload ?? []).map((type) => [type, {}]))
  return {
    summary,
    ...(sensitive && {
      description:
        'Sensitive: the sign-in behind the token is at most ten minutes old, and of two factors where the account has a second one. Otherwise 401 says what to ask for (RFC 9470).',
    }),
    tags: [tag],
    ...(permission && { 'x-permission': permission }),
    security: scope ? [{ oauth: [scope] }] : (security ?? []),
    ...(parameters.length > 0 && { parameters }),
    ...((body || upload) && { requestBody: { required: true, content } }),
    responses: {
      [status]: {
        description,
        ...(schema && {
          content: { 'application/json': { schema: place(schema, 'output', components) } },
        }),
      },
      ...Object.fromEntries(problems),
    },
  }
}

function parametersOf(operation: Operation): object[] {
  const { path, params = {}, query, ifMatch, idempotent } = operation
  const headers = [
    ...(operation.headers ?? []),
    ...(ifMatch ? ['If-Match'] : []),
    ...(idempotent ? ['Idempotency-Key'] : []),
  ]
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) =>
    parameter(name, 'path', params[name] ?? anyId),
  )
  const asked = Object.entries<z.ZodType>(query?.shape ?? {}).map(([name, schema]) =>
    parameter(name, 'query', schema),
  )
  return [...named, ...asked, ...headers.map((name) => parameter(name, 'header', z.string()))]
}

function parameter(name: string, where: 'path' | 'query' | 'header', schema: z.ZodType): object {
  const { description, ...described } = describeSchema(schema, 'input')
  return {
    name,
    in: where,
    required: where === 'path',
    ...(description === undefined ? {} : { description }),
    schema: described,
  }
}

const refer = (_schema: typeof problem) => ({ schema: { $ref: '#/components/schemas/Problem' } })

/** By reference where the schema has a name, else as it is. */
function place(schema: z.ZodType, io: 'input' | 'output', components: Components): object {
  const name = nameOf(schema)
  if (name === undefined) return describeSchema(schema, io)
  components[name] ??= describeSchema(schema, io)
  return { $ref: `#/components/schemas/${name}` }
}

function describeSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}

/** `GET /api/openapi.json`. Any page may read it. */
export function openApiRoutes(options: { issuer: string; brandName: string }): Middleware[] {
  const document = openApiDocument(options)
  const router = new Router(oneSpelling)
  router.get('/api/openapi.json', (ctx) => {
    ctx.set('Access-Control-Allow-Origin', '*')
    ctx.set('Cache-Control', 'public, max-age=300')
    ctx.body = document
  })
  return [router.routes() as Middleware, refuseOtherVerbs(router)]
}
