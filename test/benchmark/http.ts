/**
 * An HTTP/1.1 client with nothing that a benchmark does not need: kept connections, whole answers. Node's own
 * clients would take as much of the machine as the servers that are measured.
 */
import { connect, type Socket } from 'node:net'

export type Answer = {
  status: number
  /** By lower-case name; `set-cookie` apart, since it may come several times. */
  headers: Record<string, string>
  setCookies: string[]
  body: string
}

export type Request = {
  method?: 'GET' | 'POST'
  /** Path and query. */
  target: string
  headers?: Record<string, string>
  body?: string
}

export type Http = {
  /** Rejects when the connection breaks or the answer is none. */
  send(request: Request): Promise<Answer>
  close(): void
}

/** To 127.0.0.1, whatever name the origin has. As many connections as requests are under way at once. */
export function createHttp(origin: string): Http {
  const { host, port } = new URL(origin)
  const idle: Connection[] = []
  const all = new Set<Connection>()

  return {
    async send({ method = 'GET', target, headers = {}, body }) {
      let connection = idle.pop()
      if (!connection) {
        connection = await open(Number(port))
        all.add(connection)
      }
      let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`
      for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`
      if (body !== undefined) head += `Content-Length: ${Buffer.byteLength(body)}\r\n`
      try {
        const answer = await connection.exchange(`${head}\r\n${body ?? ''}`)
        if (answer.headers.connection === 'close') connection.end()
        else idle.push(connection)
        return answer
      } catch (error) {
        connection.end()
        all.delete(connection)
        throw error
      }
    },
    close() {
      for (const connection of all) connection.end()
    },
  }
}

type Connection = { exchange(request: string): Promise<Answer>; end(): void }

function open(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(converse(socket))
    })
  })
}

function converse(socket: Socket): Connection {
  let pending: { resolve(answer: Answer): void; reject(error: Error): void } | undefined
  let received: Buffer = Buffer.alloc(0)
  const fail = (error: Error) => {
    pending?.reject(error)
    pending = undefined
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server closed the connection')))
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    let answer: Answer | undefined
    try {
      answer = parse(received)
    } catch (error) {
      return fail(error as Error)
    }
    if (!answer) return
    received = Buffer.alloc(0)
    pending?.resolve(answer)
    pending = undefined
  })
  return {
    exchange: (request) =>
      new Promise((resolve, reject) => {
        pending = { resolve, reject }
        socket.write(request)
      }),
    end: () => socket.destroy(),
  }
}

/** Undefined until all of it has come. */
function parse(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(first.slice(9, 12))
  const headers: Record<string, string> = {}
  const setCookies: string[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === 'set-cookie') setCookies.push(value)
    else headers[name] = value
  }
  const body = readBody(bytes.subarray(end + 4), status, headers)
  return body === undefined ? undefined : { status, headers, setCookies, body }
}

function readBody(
  rest: Buffer,
  status: number,
  headers: Record<string, string>,
): string | undefined {
  if (status === 204 || status === 304) return ''
  if (headers['transfer-encoding'] === 'chunked') return readChunks(rest)
  const length = Number(headers['content-length'])
  if (Number.isNaN(length)) throw new Error(`an answer (${status}) of unknown length`)
  return rest.length < length ? undefined : rest.toString('utf8', 0, length)
}

function readChunks(bytes: Buffer): string | undefined {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    const begin = lineEnd + 2
    if (bytes.length < begin + size + 2) return undefined
    if (size === 0) return Buffer.concat(parts).toString()
    parts.push(bytes.subarray(begin, begin + size))
    at = begin + size + 2
  }
}
