/**
 * Who may do what at /api/admin, for every operation of the OpenAPI document: each that refuses is asked before the one that
 * is allowed, on the same thing, so that a refusal which did something would show (AD-01, AD-02).
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { cases } from './cases.ts'
import { createRefused, createWorld } from './world.ts'

type Described = {
  operationId: string
  'x-permission'?: string
  security: { oauth?: string[] }[]
  description?: string
  responses: Record<string, { content?: Record<string, object> }>
}

const world = await createWorld()
const refused = await createRefused(world)
const paths = world.document.paths as Record<string, Record<string, Described>>
const described = Object.entries(paths)
  .filter(([path]) => path.startsWith('/api/admin/'))
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  )
const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema(world.document, 'document')

test('every operation of the document has its case here, and there is no other', () => {
  expect(described.map(({ operationId }) => operationId).toSorted()).toEqual(
    Object.keys(cases).toSorted(),
  )
})

describe.each(described)('$operationId', (operation) => {
  const { operationId, method, path, responses } = operation
  const [scope] = operation.security[0]?.oauth ?? []

  test('says by which scope and permission it is opened', () => {
    expect(scope).toBe(method === 'get' ? 'admin:read' : 'admin:write')
    expect(operation['x-permission']).toMatch(method === 'get' ? /^read:/ : /^write:/)
  })

  test('refuses whoever may not, tells them nothing, and answers whoever may', async () => {
    const prepare = cases[operationId as keyof typeof cases]
    const { path: at, secrets = [], ...asked } = await prepare(world)
    const columns = {
      ...refused.anybody,
      ...(method === 'get' ? refused.reading : refused.writing),
      ...(operation.description?.startsWith('Sensitive') ? refused.sensitive : {}),
    }
    for (const [who, [token, answer]] of Object.entries(columns)) {
      const { status, body } = await world.call(method, at, { ...asked, token })
      expect([who, status, body.code]).toEqual([who, ...answer])
      expect(Object.keys(responses)).toContain(String(status))
      const members = ['type', 'title', 'status', 'code', 'detail', 'requestId', 'errors']
      expect(Object.keys(body)).toEqual(members)
      expect(body.errors).toEqual([])
      for (const secret of secrets) expect(JSON.stringify(body)).not.toContain(secret)
    }

    // Two admins lose nothing, at whichever noun (the races are in rules.test.ts).
    if (responses[428]) {
      const tries = [{}, { 'if-match': '"of yesterday"' }].map((headers) =>
        world.asAdmin(method, at, { ...asked, headers }),
      )
      const told = (await Promise.all(tries)).map((answer) => answer.body.code)
      expect(told).toEqual(['if_match_required', 'changed_meanwhile'])
    }

    if (asked.body !== undefined) {
      const body = { ...(asked.body as object), isAdmin: true }
      const told = await world.asAdmin(method, at, { ...asked, body })
      expect(told.status).toBe(400)
      expect(told.body.errors).toEqual([{ field: 'isAdmin', code: 'unknown_field' }])
    }

    const { status, body, headers } = await world.asAdmin(method, at, asked)
    expect(body?.requestId, JSON.stringify(body)).toBeUndefined()
    const told = responses[status]
    expect(told, `${status} is described`).toBeDefined()
    expect(status).toBeLessThan(300)
    expect(status === 204).toBe(body === undefined)
    if (status === 201) expect(headers.get('location')).toMatch(/^http/)
    if (body !== undefined) {
      const pointer = [path, method, 'responses', String(status), 'content', 'application/json']
        .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
        .join('/')
      const schema = `document#/paths/${pointer}/schema`
      expect(ajv.validate(schema, body), ajv.errorsText()).toBe(true)
    }
  })
})
