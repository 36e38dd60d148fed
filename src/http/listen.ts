/**
 * The listening server: time-outs against clients that are slow on purpose (DS-06), and an end that lets requests
 * under way finish. What a signal means is main.ts's business.
 */
import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

/** TLS 1.3, and of TLS 1.2 what RFC 9325 §4.2 recommends. */
const ciphers = [
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
].join(':')

export type Listening = {
  server: Server
  /** The real one, when 0 was asked for. */
  port: number
  /** True from the first `close()`. */
  isClosing(): boolean
  /** Takes no more, lets the rest finish; true when all did before the deadline. May be called again. */
  close(): Promise<boolean>
}

export type ListenOptions = {
  host: string
  port: number
  tls?: { cert: string; key: string } | undefined
  /** Where clients with certificates come: then each connection is asked for one, and none needs to have it. */
  mtlsOrigin?: string | undefined
  /** How long requests under way may take once we are closing. */
  drainMs?: number
  timeouts?: Partial<typeof defaultTimeouts>
}

const defaultTimeouts = {
  /** Longer than the idle time of usual proxies (60 s), or they reuse a connection that is just closing. */
  keepAliveTimeout: 65_000,
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
}

/** Also how long a request may take to arrive on a connection that was just opened. */
const sweepMs = 250

/** Rejects with the system's error when the address is taken or forbidden. */
export async function listen(handler: RequestListener, options: ListenOptions): Promise<Listening> {
  const { host, port, tls, drainMs = 20_000 } = options
  const settings = { ...defaultTimeouts, ...options.timeouts, maxHeaderSize: 16 * 1024 }
  const underWay = new Set<ServerResponse>()
  /** Connections without a request so far, as browsers open them in advance; Node does not call them idle. */
  const unused = new Set<Socket>()
  let closing: Promise<boolean> | undefined

  const track: RequestListener = (req, res) => {
    unused.delete(req.socket)
    underWay.add(res)
    res.once('close', () => underWay.delete(res))
    if (closing) res.setHeader('Connection', 'close')
    handler(req, res)
  }
  const server = tls
    ? createHttpsServer(
        {
          ...settings,
          ...tls,
          minVersion: 'TLSv1.2',
          ciphers,
          requestCert: options.mtlsOrigin !== undefined,
          // Self-signed ones are good too; oidc/mutual-tls.ts decides.
          rejectUnauthorized: false,
        },
        track,
      )
    : createHttpServer(settings, track)
  server.on('clientError', refuseUnreadable)
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })

  function drain(): Promise<boolean> {
    for (const res of underWay) if (!res.headersSent) res.setHeader('Connection', 'close')
    return new Promise((resolve) => {
      // An answer whose headers were out already leaves its connection open and idle.
      const sweep = setInterval(() => {
        server.closeIdleConnections()
        for (const socket of unused) socket.destroy()
      }, sweepMs)
      let clean = true
      const deadline = setTimeout(() => {
        clean = false
        server.closeAllConnections()
      }, drainMs)
      server.close(() => {
        clearInterval(sweep)
        clearTimeout(deadline)
        resolve(clean)
      })
    })
  }

  return {
    server,
    port: (server.address() as AddressInfo).port,
    isClosing: () => closing !== undefined,
    close() {
      closing ??= drain()
      return closing
    },
  }
}

const statusLines: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** No Koa has seen this request: it was no HTTP (WB-13), too large (WB-15) or too slow (DS-06). */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status = statusLines[error.code ?? ''] ?? '400 Bad Request'
  const headers = [
    'Connection: close',
    'Content-Length: 0',
    'Cache-Control: no-store',
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options: nosniff',
    'X-Frame-Options: DENY',
  ]
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n`, () => socket.destroy())
}
