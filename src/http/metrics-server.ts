/** The operator's own port (WB-12): `/metrics`, `/healthz`, and `/readyz` in full. It never shares a port with people. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Health } from './health.ts'
import { statusCode } from './health.ts'
import { type Listening, listen } from './listen.ts'
import type { Metrics } from './metrics.ts'

type Answer = { status: number; type: string; body: string }

/** Rejects with the system's error when the port is taken. */
export function serveMetrics(options: {
  host: string
  port: number
  metrics: Pick<Metrics, 'registry'>
  health: Pick<Health, 'readiness'>
}): Promise<Listening> {
  const { host, port, metrics, health } = options

  async function answerTo(req: IncomingMessage): Promise<Answer> {
    if (req.method !== 'GET' && req.method !== 'HEAD') return text(405, 'Method Not Allowed')
    const [path] = (req.url ?? '').split('?')
    if (path === '/healthz') return json(200, { status: 'ok' })
    if (path === '/readyz') {
      const readiness = await health.readiness()
      return json(statusCode(readiness), readiness)
    }
    if (path !== '/metrics') return text(404, 'Not Found')
    return {
      status: 200,
      type: metrics.registry.contentType,
      body: await metrics.registry.metrics(),
    }
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const answer = await answerTo(req).catch(() => text(500, 'Internal Server Error'))
    res.writeHead(answer.status, {
      'Content-Type': answer.type,
      'Content-Length': Buffer.byteLength(answer.body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
    })
    res.end(req.method === 'HEAD' ? undefined : answer.body)
  }

  return listen((req, res) => void handle(req, res), { host, port })
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

function json(status: number, value: object): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(value) }
}
