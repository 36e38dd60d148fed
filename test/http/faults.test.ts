import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { AppError } from '../../src/errors.ts'
import { above, host, issuer, serve } from './support.ts'

async function answering(thrown: () => unknown) {
  const stack = above()
  const door: Middleware = (): never => {
    throw thrown()
  }
  return { ...(await serve([...stack, door])), lines: stack.lines }
}

test('programs get a problem document with code, detail, request id and fields', async () => {
  const fields = [{ field: 'username', code: 'username_taken' }]
  const { ask } = await answering(() => new AppError('invalid_request', 422, { fields }))
  for (const [path, headers] of [
    ['/api/registrations', {}],
    ['/access/v1/evaluation', { accept: 'text/html' }],
    ['/sign-in', { accept: 'application/json' }],
    ['/sign-in', { accept: 'application/problem+json' }],
  ] as const) {
    const answer = await ask(path, { headers })
    expect(answer.status).toBe(422)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Unprocessable Entity',
      status: 422,
      code: 'invalid_request',
      detail: 'Part of what was sent is missing or could not be read.',
      requestId: answer.headers['x-request-id'],
      errors: fields,
    })
  }
})

test('people get a page in their language, and a browser that takes anything gets it too', async () => {
  const { ask } = await answering(() => new AppError('not_found', 404))
  const english = await ask('/nowhere', {
    headers: { accept: 'text/html,application/json;q=0.9,*/*' },
  })
  expect(english.headers['content-type']).toBe('text/html; charset=utf-8')
  expect(english.body).toMatch(/<html[^>]* lang="en"/)
  const chinese = await ask('/nowhere', { headers: { 'accept-language': 'zh' } })
  expect(chinese.body).toMatch(/<html[^>]* lang="zh-CN"/)
  expect(chinese.status).toBe(404)
})

test('clients at OAuth endpoints get the form of RFC 6749', async () => {
  const { ask } = await answering(
    () => new AppError('too_many_requests', 429, { retryAfterSeconds: 7.2 }),
  )
  const { status, headers, body } = await ask('/oauth2/token', { method: 'POST' })
  expect([status, headers['retry-after'], headers['cache-control']]).toEqual([429, '8', 'no-store'])
  expect(JSON.parse(body)).toMatchObject({ error: 'temporarily_unavailable' })
  expect((await ask('/oauth2/authorize')).headers['content-type']).toContain('text/html')
})

test('IN-09: a fault of ours shows its request id alone, and the log has its cause', async () => {
  const { ask, lines } = await answering(() => new Error('select secret_column from /srv/idp/x.ts'))
  for (const path of ['/sign-in', '/api/x', '/oauth2/token']) {
    const { status, body, headers } = await ask(path)
    expect(status).toBe(500)
    expect(body).not.toMatch(/secret_column|srv|Error:|at .*\.ts/)
    const id = String(headers['x-request-id'])
    if (!path.startsWith('/oauth2')) expect(body).toContain(id)
    const line = JSON.parse(lines.find((text) => text.includes(id)) ?? '{}')
    expect(line).toMatchObject({ level: 'error', requestId: id, fault: 'internal' })
    expect(line.err.message).toContain('secret_column')
  }
})

test('a refusal is not logged as a fault', async () => {
  const { ask, lines } = await answering(() => new AppError('busy', 503, { retryAfterSeconds: 2 }))
  const { status, headers } = await ask('/sign-in')
  expect([status, headers['retry-after']]).toEqual([503, '2'])
  expect(lines).toEqual([])
})

const withStatus = (status: number, more = {}) => Object.assign(new Error('x'), { status, ...more })
const withCode = (code: string) => Object.assign(new Error('x'), { code })
const thrown: [name: string, thrown: unknown, status: number, code: string][] = [
  ['what zod refuses', z.string().safeParse(1).error, 400, 'invalid_request'],
  ['a parser that says 413', withStatus(413), 413, 'too_large'],
  ['a status of 5xx from a library', withStatus(502), 500, 'internal'],
  ['a status that is none', withStatus(499), 500, 'internal'],
  ['a status that must not be shown', withStatus(401, { expose: false }), 500, 'internal'],
  ['IN-02: a value that PostgreSQL cannot hold', withCode('22P05'), 400, 'invalid_request'],
  ['IN-02: text where a UUID belongs', withCode('22P02'), 400, 'invalid_request'],
  ['a database that is gone', withCode('ECONNREFUSED'), 503, 'unavailable'],
  ['something that is no error', 'text', 500, 'internal'],
  ['nothing', undefined, 500, 'internal'],
]

test.each(thrown)('%s', async (_name, error, status, code) => {
  const { ask } = await answering(() => error)
  const answer = await ask('/api/x')
  expect(answer.status).toBe(status)
  expect(JSON.parse(answer.body)).toMatchObject({ status, code })
})

test('a path that nobody answers is 404, and an empty answer on purpose is not', async () => {
  const door: Middleware = (ctx) => {
    if (ctx.path === '/empty') ctx.status = 204
  }
  const { ask } = await serve([...above(), door])
  expect(JSON.parse((await ask('/api/none')).body)).toMatchObject({ code: 'not_found' })
  expect((await ask('/none')).status).toBe(404)
  expect((await ask('/empty')).status).toBe(204)
})

test('WB-10: the way back is a path of ours, whatever Referer or address say', async () => {
  const { ask } = await answering(() => new AppError('csrf_failed', 403))
  const wayBack = async (path: string, referer?: string) => {
    const { body } = await ask(path, { method: 'POST', headers: referer ? { referer } : {} })
    return /href="([^"]*)" ?[^>]*id="continue"|id="continue"[^>]*href="([^"]*)"/
      .exec(body)
      ?.slice(1)
      .find(Boolean)
  }
  expect(await wayBack('/sign-in?a=1')).toBe('/sign-in?a=1')
  expect(await wayBack('/sign-in/x', `${issuer}/sign-in/x/register`)).toBe('/sign-in/x/register')
  expect(await wayBack('/sign-in', 'https://evil.example/x')).toBe('/sign-in')
  expect(await wayBack('/sign-in', `https://${host}//evil.example`)).toBe('/evil.example')
  expect(await wayBack('//evil.example/x')).toBe('/evil.example/x')
})

test('an answer that is already on its way is cut, not continued', async () => {
  const stack = above()
  const door: Middleware = (ctx) => {
    ctx.respond = false
    ctx.res.writeHead(200, { 'content-length': 100 })
    ctx.res.write('half')
    throw new Error('midway')
  }
  const { ask } = await serve([...stack, door])
  await expect(ask('/')).rejects.toThrow(/aborted|hang up|reset/)
  expect(stack.lines.join('')).toContain('midway')
})
