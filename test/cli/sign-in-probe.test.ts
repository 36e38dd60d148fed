import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, startTestServer } from '../support/server.ts'
import { createIdp } from './support.ts'

const server = await startTestServer()
const idp = createIdp(server.database.url, { ISSUER: server.origin })

async function create(...flags: string[]): Promise<{ client_id: string; client_secret: string }> {
  const { code, stdout, stderr } = await idp(['clients', 'create', ...flags, '--json'])
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout).client
}

async function testClient(argv: string[], stdin?: string) {
  const ran = await idp(
    ['clients', 'test', ...argv, '--json'],
    stdin === undefined ? {} : { stdin },
  )
  const { ok, checks } = JSON.parse(ran.stdout) as {
    ok: boolean
    checks: { check: string; status: string; detail: string; fix?: string }[]
  }
  const find = (start: string) => checks.find(({ check }) => check.startsWith(start))
  return { code: ran.code, stderr: ran.stderr, ok, checks, find }
}

/** An app that is there. */
let app: Server
let appUrl: string
beforeAll(async () => {
  app = createServer((_request, response) => response.end('hello'))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  appUrl = `http://127.0.0.1:${(app.address() as AddressInfo).port}`
})
afterAll(() => app.close())

describe('clients test, against the real server', () => {
  test('a client as it should be passes every step, its secret too', async () => {
    const { client_id: id, client_secret: secret } = await create(
      'Wiki',
      '--preset',
      'generic',
      '--app-url',
      appUrl,
    )
    const result = await testClient([id, '--secret-stdin'], `${secret}\n`)
    expect(result.checks.map(({ check, status }) => `${status} ${check}`)).toEqual([
      'ok registration keeps the rules',
      'ok client is enabled',
      'ok discovery names our issuer',
      `ok sign-in for ${appUrl}/callback`,
      'ok token endpoint knows the client',
      'ok app answers',
    ])
    expect(result).toMatchObject({ code: 0, ok: true })
  })

  test('a wrong secret is found, with the way to a new one', async () => {
    const { client_id: id } = await create('Wrong', '--preset', 'web', '--app-url', appUrl)
    const result = await testClient([id, '--secret-stdin'], 'not-the-secret')
    expect(result).toMatchObject({ code: 1, ok: false })
    expect(result.find('token endpoint')).toMatchObject({
      status: 'failed',
      fix: expect.stringContaining('rotate-secret'),
    })
  })

  test('every redirect URI is walked, private schemes and loopback included', async () => {
    const { client_id: id } = await create(
      'Photos',
      '--preset',
      'immich',
      '--app-url',
      'https://photos.invalid',
    )
    const result = await testClient([id])
    const walked = result.checks.filter(({ check }) => check.startsWith('sign-in for'))
    expect(walked.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok'])
    expect(result.find('app answers')).toMatchObject({
      status: 'warning',
      detail: expect.stringContaining('DNS'),
    })
    expect(result.code).toBe(0)
  })

  test('a public client needs no secret; a service gets a token for its API', async () => {
    const { client_id: spa } = await create('Spa', '--preset', 'spa', '--app-url', appUrl)
    expect((await testClient([spa])).find('token endpoint')).toMatchObject({ status: 'ok' })
    await idp(['apis', 'create', 'https://api.example.org', '--scope', 'read'])
    const { client_id: id, client_secret: secret } = await create(
      'Robot',
      '--preset',
      'service',
      '--scope',
      'read',
    )
    const service = await testClient([id, '--secret-stdin'], secret)
    expect(service.find('token endpoint')).toMatchObject({
      status: 'ok',
      detail: 'gives it a token',
    })
    expect(service.find('sign-in')).toBeUndefined()
  })

  test('a device and an app that asks elsewhere are known at the token endpoint', async () => {
    const { client_id: tv } = await create('TV', '--preset', 'device')
    const device = await testClient([tv])
    expect([device.code, device.find('token endpoint')?.status]).toEqual([0, 'ok'])
    const { client_id: till, client_secret: secret } = await create('Till', '--preset', 'ciba')
    const asking = await testClient([till, '--secret-stdin'], secret)
    expect([asking.code, asking.find('token endpoint')?.status]).toEqual([0, 'ok'])
  })

  test('a disabled client fails, with the page’s own words and the way back', async () => {
    const { client_id: id } = await create('Off', '--preset', 'spa', '--app-url', appUrl)
    await idp(['clients', 'disable', id])
    const result = await testClient([id])
    expect(result.code).toBe(1)
    expect(result.find('client is enabled')).toMatchObject({
      status: 'failed',
      fix: `idp clients enable ${id}`,
    })
    expect(result.find('sign-in')?.detail).toContain('invalid_client')
  })

  test('for people each step is a line, and the end says how many failed', async () => {
    const { client_id: id } = await create('Lines', '--preset', 'spa', '--app-url', appUrl)
    const good = await idp(['clients', 'test', id])
    expect(good.stdout).toMatch(/^ok {7}sign-in for .*: leads to the sign-in page$/m)
    expect(good.stderr).toContain('Nothing that can be seen from here')
    await idp(['clients', 'disable', id])
    expect((await idp(['clients', 'test', id])).stderr).toMatch(
      /idp: \d of \d checks failed for Lines/,
    )
  })
})

test('nobody at the issuer is told as such (6)', async () => {
  const { client_id: id } = await create('Alone', '--preset', 'spa', '--app-url', appUrl)
  const { code, stdout, stderr } = await idp(['clients', 'test', id], {
    env: { ISSUER: `http://127.0.0.1:${await freePort()}` },
  })
  expect([code, stdout]).toEqual([6, ''])
  expect(stderr).toContain('nothing listens there')
})

test('a server that calls itself otherwise is found out', async () => {
  const { client_id: id } = await create('Proxy', '--preset', 'spa', '--app-url', appUrl)
  const elsewhere = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ issuer: server.origin }))
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  const { code, stdout } = await idp(['clients', 'test', id, '--json'], { env: { ISSUER: origin } })
  elsewhere.close()
  expect(code).toBe(1)
  expect(JSON.parse(stdout).checks).toContainEqual(
    expect.objectContaining({
      check: 'discovery names our issuer',
      status: 'failed',
      detail: `it says ${server.origin}, the setting says ${origin}`,
    }),
  )
})
