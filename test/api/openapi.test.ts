import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { allOperations } from '../../src/api/doors.ts'
import { openApiDocument } from '../../src/api/openapi.ts'
import { start } from './programs.ts'

describe('the OpenAPI document', () => {
  test('is served, and describes every address and every schema that it names', async () => {
    const call = await start()
    const { status, body } = await call('/api/openapi.json')
    expect(status).toBe(200)
    expect(body).toEqual(
      JSON.parse(
        JSON.stringify(openApiDocument({ issuer: 'https://id.example.org', brandName: 'Example' })),
      ),
    )
    expect(body.openapi).toBe('3.1.0')
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/api/registrations/usernames/{username}',
        '/api/registrations',
        '/api/registrations/{id}',
        '/api/registrations/{id}/verification',
        '/api/registrations/{id}/mail',
        '/api/registrations/{id}/retry',
      ]),
    )
    const named = JSON.stringify(body).matchAll(/#\/components\/schemas\/(\w+)/g)
    for (const [, name] of named) expect(body.components.schemas).toHaveProperty(String(name))
    expect(body.components.schemas.RegistrationRequest).toMatchObject({
      type: 'object',
      required: ['username', 'email', 'password'],
      additionalProperties: false,
    })
    expect(body.components.schemas.VerificationRequest.anyOf).toHaveLength(2)
  })

  test('tells the truth: every described operation answers, with a described status', async () => {
    const call = await start()
    const { paths } = openApiDocument({ issuer: 'https://id.example.org', brandName: 'Example' })
    for (const [path, methods] of Object.entries<Record<string, { responses?: object }>>(paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        if (!responses) continue
        // Those that take an access token have tests of their own, against a whole server.
        if (!path.startsWith('/api/registrations')) continue
        const filled = path.replace('{username}', 'x').replace('{id}', 'y')
        const { status } = await call(filled, { method: method.toUpperCase() })
        expect(Object.keys(responses), `${method} ${path}`).toContain(String(status))
      }
    }
  })
})

test('it is valid OpenAPI 3.1, and holds every operation of the tables', async () => {
  const document = openApiDocument({ issuer: 'https://id.example.org', brandName: 'Example' })
  const result = await new Validator().validate(JSON.parse(JSON.stringify(document)))
  expect(result.errors ?? []).toEqual([])
  expect(result.valid).toBe(true)
  const described = Object.values(document.paths).flatMap((item) =>
    Object.values(item as Record<string, { operationId?: string }>).map(
      ({ operationId }) => operationId,
    ),
  )
  expect(described.sort()).toEqual(Object.keys(allOperations).sort())
})

test('an operation that takes a token says its scope, and how it refuses', () => {
  const { paths } = openApiDocument({ issuer: 'https://id.example.org', brandName: 'Example' })
  const { post } = paths['/api/account/deletion'] as {
    post: { security: object; responses: object; description: string }
  }
  expect(post.security).toEqual([{ oauth: ['account'] }])
  expect(Object.keys(post.responses)).toEqual([
    '202',
    '400',
    '401',
    '403',
    '409',
    '413',
    '415',
    '429',
  ])
  expect(post.description).toContain('RFC 9470')
})
