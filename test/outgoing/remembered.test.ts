/** An app is asked for its keys once a minute, however often strangers make us want them. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { rememberAnswers } from '../../src/outgoing/remembered.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function counted(answer: () => Response) {
  const calls: string[] = []
  const fetch = rememberAnswers(async (url, { method = 'GET' } = {}) => {
    calls.push(`${method} ${url}`)
    return answer()
  })
  return { calls, fetch }
}

const url = 'https://app.example.com/jwks'

test('DS-11: a thousand unknown keys make one request a minute, and all get its answer', async () => {
  const { calls, fetch } = counted(() => Response.json({ keys: [] }))
  const bodies = await Promise.all(
    Array.from({ length: 1000 }, async () => (await fetch(url)).text()),
  )
  expect(new Set(bodies)).toEqual(new Set(['{"keys":[]}']))
  expect(calls).toHaveLength(1)
  vi.setSystemTime(Date.now() + 59_000)
  await fetch(url)
  expect(calls).toHaveLength(1)
  vi.setSystemTime(Date.now() + 2000)
  await fetch(url)
  expect(calls).toHaveLength(2)
})

test('DS-11: a failure is kept as long as an answer', async () => {
  let failing = true
  const { calls, fetch } = counted(() => {
    if (failing) throw new Error('down')
    return Response.json({})
  })
  for (let round = 0; round < 5; round++) await expect(fetch(url)).rejects.toThrow('down')
  failing = false
  await expect(fetch(url)).rejects.toThrow('down')
  expect(calls).toHaveLength(1)
  vi.setSystemTime(Date.now() + 61_000)
  expect((await fetch(url)).status).toBe(200)
})

test('status and headers come along; what was posted is never answered from memory', async () => {
  const { calls, fetch } = counted(
    () => new Response(null, { status: 304, headers: { etag: 'a' } }),
  )
  await fetch(url)
  const again = await fetch(url)
  expect([again.status, again.headers.get('etag')]).toEqual([304, 'a'])
  await fetch(url, { method: 'POST' })
  await fetch(url, { method: 'POST' })
  expect(calls).toEqual([`GET ${url}`, `POST ${url}`, `POST ${url}`])
})

test('memory is bounded: the oldest of a thousand addresses is forgotten', async () => {
  const { calls, fetch } = counted(() => new Response('x'))
  for (let index = 0; index <= 1000; index++) await fetch(`${url}/${index}`)
  await fetch(`${url}/1000`)
  expect(calls).toHaveLength(1001)
  await fetch(`${url}/0`)
  expect(calls).toHaveLength(1002)
})
