/** A small app with the JSON door alone, and a program that calls it. */
import { openApiRoutes } from '../../src/api/openapi.ts'
import type { Operation } from '../../src/api/operations.ts'
import { registrationOperations } from '../../src/api/registration-operations.ts'
import { registrationRoutes } from '../../src/api/registrations.ts'
import { createKeyring, randomToken } from '../../src/crypto.ts'
import { createLimits } from '../../src/http/limits.ts'
import { type Ask, above, serve, views } from '../http/support.ts'
import { createDeps, deliver, newcomer } from '../registration/newcomers.ts'
import { createDatabase } from '../support/database.ts'

export const { db, pool } = await createDatabase()
export const deps = createDeps(db)
export const root = '/api/registrations'

/** Statuses by operationId, of all that was called in this file. */
export const seen = new Map<string, Set<number>>()

function remember(path: string, method: string, status: number): void {
  for (const [id, operation] of Object.entries<Operation>(registrationOperations)) {
    const shape = new RegExp(`^${operation.path.replace(/\{\w+\}/g, '[^/]+')}$`)
    if (operation.method.toUpperCase() !== method || !shape.test(path)) continue
    seen.set(id, (seen.get(id) ?? new Set()).add(status))
  }
}

export async function start(
  options: { factor?: number; registration?: 'open' | 'closed' | 'invite' } = {},
) {
  const { factor = 1000, registration = 'open' } = options
  // A key of its own: what other tests have counted does not count here.
  const limits = createLimits({ pool, keyring: createKeyring([randomToken()]), factor })
  const house = { ...deps, config: { ...deps.config, registration } }
  const { ask } = await serve([
    ...above(),
    ...registrationRoutes({
      registration: house,
      limits,
      views,
      blocked: { wrongCode: async () => {} },
    }),
    ...openApiRoutes({ issuer: 'https://id.example.org', brandName: 'Example' }),
  ])
  return async function call(path: string, what: Ask & { json?: unknown; handle?: string } = {}) {
    const { json, handle, headers, ...rest } = what
    const answer = await ask(path, {
      ...(json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }),
      ...rest,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(handle === undefined ? {} : { authorization: `Bearer ${handle}` }),
        ...headers,
      },
    })
    remember(path, (json === undefined ? rest.method : 'POST') ?? 'GET', answer.status)
    const body = answer.body === '' ? undefined : JSON.parse(answer.body)
    return { ...answer, body }
  }
}

export async function begin(call: Awaited<ReturnType<typeof start>>) {
  const { body } = await call(root, { json: newcomer() })
  const mail = (await deliver(deps)).at(-1)
  return { id: body.id as string, handle: body.handle as string, mail }
}
