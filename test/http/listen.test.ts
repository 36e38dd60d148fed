import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Middleware } from 'koa'
import { expect, test } from 'vitest'
import { listen } from '../../src/http/listen.ts'
import { above, ask, host, serve } from './support.ts'

const quick: Middleware = (ctx) => {
  ctx.body = 'ok'
}

function gate() {
  const entered = Promise.withResolvers<void>()
  const open = Promise.withResolvers<void>()
  const door: Middleware = async (ctx) => {
    entered.resolve()
    await open.promise
    ctx.body = 'finished'
  }
  return { door, entered: entered.promise, open: open.resolve }
}

test('requests under way finish, with Connection: close; new ones find nobody', async () => {
  const { door, entered, open } = gate()
  const { port, close, isClosing } = await serve([door])
  const answer = ask(port, '/')
  await entered
  expect(isClosing()).toBe(false)
  const closed = close()
  expect(isClosing()).toBe(true)
  await expect(ask(port, '/')).rejects.toThrow('ECONNREFUSED')
  open()
  const { status, body, headers } = await answer
  expect([status, body, headers.connection]).toEqual([200, 'finished', 'close'])
  expect(await closed).toBe(true)
})

test('connections kept open and idle do not hold up the end', async () => {
  const { port, close } = await serve([quick])
  const agent = new Agent({ keepAlive: true })
  await new Promise<void>((resolve) => {
    request({ port, host: '127.0.0.1', agent }, (res) => res.resume().on('end', resolve)).end()
  })
  const silent = connect(port, '127.0.0.1')
  await new Promise((resolve) => silent.once('connect', resolve))
  const begun = performance.now()
  expect(await close()).toBe(true)
  expect(performance.now() - begun).toBeLessThan(2000)
  agent.destroy()
  silent.destroy()
})

test('a request that comes on an open connection while closing is answered, and is the last', async () => {
  const { door, entered, open } = gate()
  const { port, close } = await serve([door], { drainMs: 5000 })
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text
  })
  const ended = new Promise((resolve) => socket.once('close', resolve))
  // Pipelined: the second is taken up when the first has been answered.
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\nGET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  await entered
  const closed = close()
  open()
  await ended
  expect(await closed).toBe(true)
  expect(heard).toContain('finished')
  expect(heard).toContain('Connection: close')
})

test('after the deadline nobody is waited for any longer', async () => {
  const { door, entered } = gate()
  const { port, close } = await serve([door], { drainMs: 200 })
  const answer = ask(port, '/').catch((error: Error) => error)
  await entered
  expect(await close()).toBe(false)
  expect(await answer).toBeInstanceOf(Error)
})

test('closing twice is closing once', async () => {
  const { close } = await serve([quick])
  expect(close()).toBe(close())
})

test('a port that is taken is told by its system error', async () => {
  const { port } = await serve([quick])
  await expect(listen(() => {}, { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})

test('DS-06: headers that trickle, bodies that stall and silence are cut off; honest requests go on', async () => {
  const timeouts = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 100 }
  const read: Middleware = async (ctx) => {
    for await (const _ of ctx.req) ctx.state.seen = true
    ctx.body = 'ok'
  }
  const { port, ask } = await serve([...above(), read], { timeouts })
  const begun = performance.now()
  const slow = Array.from({ length: 100 }, (_, index) => {
    const socket = connect(port, '127.0.0.1')
    const ended = new Promise<string>((resolve) => {
      let heard = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        heard += text
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(heard))
    })
    if (index % 3 === 0) {
      socket.write('GET / HTTP/1.1\r\n')
      const drip = setInterval(() => socket.write('x'), 50)
      socket.on('close', () => clearInterval(drip))
    } else if (index % 3 === 1) {
      socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\nx`)
    }
    return ended
  })
  await sleep(50)
  expect((await ask('/')).status).toBe(200)
  const heard = await Promise.all(slow)
  expect(performance.now() - begun).toBeLessThan(5000)
  expect(heard.filter((_, index) => index % 3 === 0).every((text) => text.includes(' 408 '))).toBe(
    true,
  )
  expect((await ask('/')).status).toBe(200)
})

test('WB-13: a body with two lengths is 400, and the connection ends', async () => {
  const { say } = await serve([quick])
  const smuggled = 'GET /admin HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const headers of [
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 4',
    'Content-Length: 4\r\nContent-Length: 5',
    'Content-Length: 4, 5',
    'Transfer-Encoding: identity, chunked, identity',
    'Transfer-Encoding : chunked',
    'Content-Length: +4',
  ]) {
    const heard = await say(
      `POST / HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n\r\n0\r\n\r\n${smuggled}`,
    )
    expect([headers, heard.match(/HTTP\/1\.1 \d+/g)]).toEqual([headers, ['HTTP/1.1 400']])
  }
})

test('WB-15: headers of more than 16 KB are 431', async () => {
  const { say, ask } = await serve([quick])
  const heard = await say(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nCookie: ${'a'.repeat(17_000)}\r\n\r\n`,
  )
  expect(heard).toMatch(/^HTTP\/1\.1 431 /)
  expect((await ask('/', { headers: { cookie: 'a'.repeat(10_000) } })).status).toBe(200)
})

test('a client that resets its connection leaves the server alive', async () => {
  const { port, ask } = await serve([quick])
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET / HT')
      socket.resetAndDestroy()
      resolve()
    })
  })
  expect((await ask('/')).status).toBe(200)
})
