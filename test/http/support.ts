/** A small Koa app on a real socket, and a client that sends exactly what it is told. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import type Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import { onTestFinished } from 'vitest'
import { answerFaults } from '../../src/http/faults.ts'
import { securityHeaders } from '../../src/http/headers.ts'
import { type ListenOptions, listen } from '../../src/http/listen.ts'
import { requestContext } from '../../src/http/request-context.ts'
import { createLogger } from '../../src/logger.ts'
import { createViews } from '../../src/views.ts'

export const issuer = 'https://id.example.org'
export const host = 'id.example.org'
export const views = createViews({ brandName: 'Example', issuer })

export type Answer = { status: number; headers: IncomingHttpHeaders; body: string }
export type Ask = {
  method?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
}

type Routes = ReturnType<Router['routes']>

/** Answers on a free loopback port until the test ends. */
export async function serve(
  middleware: (Middleware | Routes)[],
  options: Partial<ListenOptions> = {},
) {
  const app = new Koa()
  app.proxy = true
  for (const each of middleware) app.use(each as Middleware)
  const listening = await listen(app.callback(), { host: '127.0.0.1', port: 0, ...options })
  onTestFinished(async () => {
    listening.server.closeAllConnections()
    await listening.close()
  })
  return {
    ...listening,
    ask: (path: string, what: Ask = {}) => ask(listening.port, path, what),
    say: (bytes: string) => say(listening.port, bytes),
  }
}

/** What stands above every door: context, headers, faults. `lines` receives the log. */
export function above(
  config = { issuer, trustedProxies: [] as string[] },
): Middleware[] & { lines: string[] } {
  const lines: string[] = []
  const logger = createLogger({
    level: 'debug',
    destination: { write: (line) => void lines.push(line) },
  })
  const stack = [
    requestContext(config),
    securityHeaders({ production: config.issuer === issuer }),
    answerFaults({ views, logger }),
  ]
  return Object.assign(stack, { lines })
}

export function ask(port: number, path: string, what: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = what
  return new Promise((resolve, reject) => {
    const req = request(
      { host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false },
      (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('error', reject)
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        )
      },
    )
    req.on('error', reject)
    req.end(body)
  })
}

/** Sends raw bytes and returns everything that comes until the connection ends. */
export function say(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      heard += text
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(heard))
  })
}

export const form = (fields: Record<string, string>): Ask => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
})
