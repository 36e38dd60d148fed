/** What the JSON door offers, as one OpenAPI 3.1 document, made of the schemas that check the requests. */
import Router from '@koa/router'
import type { Middleware } from 'koa'
import { z } from 'zod'
import { refuseOtherVerbs } from './other-verbs.ts'
import {
  availability,
  begunRegistration,
  mailAnswer,
  problem,
  registration,
  registrationRequest,
  verificationRequest,
} from './schemas.ts'

const schemas = {
  RegistrationRequest: registrationRequest,
  Registration: registration,
  BegunRegistration: begunRegistration,
  Availability: availability,
  VerificationRequest: verificationRequest,
  MailAnswer: mailAnswer,
  Problem: problem,
}
type SchemaName = keyof typeof schemas

const refer = (name: SchemaName) => ({ schema: { $ref: `#/components/schemas/${name}` } })
const json = (name: SchemaName) => ({ 'application/json': refer(name) })
const parameter = (name: string, description: string, schema: object = { type: 'string' }) => ({
  name,
  in: 'path',
  required: true,
  description,
  schema,
})

const refusals: Record<number, string> = {
  400: 'Something in the request is wrong; `errors` names every field.',
  403: 'Not allowed here.',
  404: 'No such registration, or not with this handle.',
  409: 'The registration stands elsewhere.',
  413: 'Larger than 56 KB.',
  415: 'Not application/json.',
  429: 'Too many in a short time; see Retry-After.',
  503: 'Busy; see Retry-After.',
}

type Operation = {
  operationId: string
  summary: string
  request?: SchemaName
  answer: [status: number, description: string, schema: SchemaName]
  refused: number[]
  /** Which credentials are taken; none when absent. */
  security?: object[]
}

const withHandle = [{ handle: [] }]

const operations: Record<string, Record<string, Operation>> = {
  '/api/registrations/usernames/{username}': {
    get: {
      operationId: 'checkUsername',
      summary: 'Whether a username can be had, and if not, why, in words',
      answer: [200, 'The answer.', 'Availability'],
      refused: [403, 429],
    },
  },
  '/api/registrations': {
    post: {
      operationId: 'beginRegistration',
      summary: 'Begin a registration: the answer is the same whether or not the address is known',
      request: 'RegistrationRequest',
      answer: [202, 'Begun. A mail is on its way unless a step has failed.', 'BegunRegistration'],
      refused: [400, 403, 413, 415, 429, 503],
    },
  },
  '/api/registrations/{id}': {
    get: {
      operationId: 'readRegistration',
      summary: 'Where a registration stands',
      answer: [200, 'Its state.', 'Registration'],
      refused: [404],
      security: withHandle,
    },
  },
  '/api/registrations/{id}/verification': {
    post: {
      operationId: 'verifyRegistration',
      summary:
        'Prove the address: with the code and the handle, or with the token of the link alone',
      request: 'VerificationRequest',
      answer: [200, 'Verified, now or before.', 'Registration'],
      refused: [400, 403, 404, 409, 413, 415, 429],
      security: [...withHandle, {}],
    },
  },
  '/api/registrations/{id}/mail': {
    post: {
      operationId: 'sendRegistrationMail',
      summary: 'Ask for another mail; while the time is not up, none is sent',
      answer: [202, 'When another may be asked for.', 'MailAnswer'],
      refused: [404, 409, 429],
      security: withHandle,
    },
  },
  '/api/registrations/{id}/retry': {
    post: {
      operationId: 'retryRegistration',
      summary: 'Go on from the last step after a failure',
      answer: [202, 'Where it stands now.', 'Registration'],
      refused: [404, 409, 429],
      security: withHandle,
    },
  },
}

const parameters = [
  parameter('id', 'From the answer to the beginning.', { type: 'string', format: 'uuid' }),
  parameter('username', 'As the person typed it.'),
]

export function openApiDocument({ issuer, brandName }: { issuer: string; brandName: string }) {
  const paths = Object.entries(operations).map(([path, methods]) => {
    const described = Object.entries(methods).map(([method, operation]) => [
      method,
      describe(operation),
    ])
    const used = parameters.filter(({ name }) => path.includes(`{${name}}`))
    return [
      path,
      { ...(used.length > 0 && { parameters: used }), ...Object.fromEntries(described) },
    ]
  })
  return {
    openapi: '3.1.0',
    info: { title: `${brandName} accounts`, version: '1' },
    servers: [{ url: issuer }],
    paths: Object.fromEntries(paths),
    components: {
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => [name, describeSchema(schema)]),
      ),
      securitySchemes: {
        handle: {
          type: 'http',
          scheme: 'bearer',
          description: 'The handle of the registration.',
        },
      },
    },
  }
}

function describe({ operationId, summary, request, answer, refused, security }: Operation) {
  const [status, description, schema] = answer
  const problems = refused.map((code) => [
    code,
    { description: refusals[code], content: { 'application/problem+json': refer('Problem') } },
  ])
  return {
    operationId,
    summary,
    tags: ['registration'],
    security: security ?? [],
    ...(request && { requestBody: { required: true, content: json(request) } }),
    responses: {
      [status]: { description, content: json(schema) },
      ...Object.fromEntries(problems),
    },
  }
}

function describeSchema(schema: z.ZodType): object {
  const { $schema, ...rest } = z.toJSONSchema(schema)
  return rest
}

/** `GET /api/openapi.json`. Any page may read it. */
export function openApiRoutes(options: { issuer: string; brandName: string }): Middleware[] {
  const document = openApiDocument(options)
  const router = new Router()
  router.get('/api/openapi.json', (ctx) => {
    ctx.set('Access-Control-Allow-Origin', '*')
    ctx.set('Cache-Control', 'public, max-age=300')
    ctx.body = document
  })
  return [router.routes() as Middleware, refuseOtherVerbs(router)]
}
