/**
 * A program of ours at our own API: its tokens, and calls by operationId. Each answer is held to what the OpenAPI document
 * says of the operation, and what was answered is remembered.
 */
import { decodeJwt } from 'jose'
import { expect } from 'vitest'
import { allOperations } from '../../src/api/doors.ts'
import { type Operation, refusalsOf } from '../../src/api/operations.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { createBrowser, createPerson, obtainCode, type Person } from './person.ts'
import { type App, createApp } from './relying-party.ts'
import type { TestServer } from './server.ts'

export type OperationId = keyof typeof allOperations

export type Asked = {
  params?: Record<string, string>
  query?: Record<string, string>
  json?: unknown
  bytes?: { type: string; body: Buffer }
  headers?: Record<string, string>
}

export type Told = {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what an answer has, each test says.
  body: any
}

export type Signed = { person: Person; browser: Visitor; token: string }

/** Of ids that are nobody's. */
export const nowhere = '01900000-0000-7000-8000-000000000000'

export function operationOf(id: OperationId): Operation {
  return allOperations[id]
}

export function createProgram(server: TestServer) {
  const resource = `${server.origin}/api`
  /** Statuses by operation. */
  const seen = new Map<string, Set<number>>()
  let app: Promise<App> | undefined
  const ours = () => {
    app ??= createApp(server, { scope: 'openid profile account offline_access', firstParty: true })
    return app
  }

  /** A token of this browser's, signed in there where it is not yet. */
  async function tokenOf(person: Person, browser: Visitor, more: Record<string, string> = {}) {
    const own = await ours()
    const asked = { scope: 'openid account', resource, ...more }
    const { request, code } = await obtainCode(browser, own, person, asked)
    const { body } = await own.redeem(request, code, { resource })
    const token = String(body.access_token)
    expect(decodeJwt(token).aud).toBe(resource)
    return token
  }

  async function newcomer(more: Parameters<typeof createPerson>[1] = {}): Promise<Signed> {
    const person = await createPerson(server, more)
    const browser = createBrowser(server)
    return { person, browser, token: await tokenOf(person, browser) }
  }

  /** By operationId; `bearer` is a token or a handle. */
  async function call(
    id: OperationId,
    bearer: string | undefined,
    asked: Asked = {},
  ): Promise<Told> {
    const operation = operationOf(id)
    const { params = {}, query = {}, json, bytes, headers } = asked
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(params[name] ?? nowhere),
    )
    const response = await fetch(`${server.origin}${path}?${new URLSearchParams(query)}`, {
      method: operation.method.toUpperCase(),
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bytes ? { 'content-type': bytes.type } : {}),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(bytes ? { body: new Uint8Array(bytes.body) } : {}),
    })
    const text = await response.text()
    const told = {
      status: response.status,
      headers: response.headers,
      body: text && JSON.parse(text),
    }
    hold(id, operation, told)
    seen.set(id, (seen.get(id) ?? new Set()).add(told.status))
    return told
  }

  return { call, newcomer, tokenOf, seen, ours, resource }
}

function hold(id: string, operation: Operation, { status, headers, body }: Told): void {
  const [done, , schema] = operation.answer
  if (status === done) {
    if (schema) expect(() => schema.parse(body), id).not.toThrow()
    else expect(body, id).toBe('')
    return
  }
  expect(refusalsOf(operation), `${id} answers ${status} ${JSON.stringify(body)}`).toContain(status)
  expect(headers.get('content-type'), id).toContain('application/problem+json')
  expect(body, id).toEqual({
    type: 'about:blank',
    title: expect.any(String),
    status,
    code: expect.stringMatching(/^[a-z_]+$/),
    detail: expect.stringMatching(/\p{L}/u),
    requestId: expect.any(String),
    errors: expect.any(Array),
  })
}

/** Each operation of these tags has been answered so: with its success, or with a refusal. */
export function expectSeen(
  how: 'done' | 'refused',
  seen: Map<string, Set<number>>,
  ...tags: string[]
): void {
  const entries = Object.entries<Operation>(allOperations).filter(([, { tag }]) =>
    tags.includes(tag),
  )
  expect(entries.length).toBeGreaterThan(0)
  const missing = entries.filter(([id, { answer }]) => {
    const statuses = [...(seen.get(id) ?? [])]
    return !statuses.some((each) => (how === 'done' ? each === answer[0] : each >= 400))
  })
  expect(missing.map(([id]) => id)).toEqual([])
}
