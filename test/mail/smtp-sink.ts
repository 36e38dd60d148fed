/** A mail server of a few lines: it keeps what it is given, or misbehaves in the way that a test asks for. */

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export type Delivery = { from: string; to: string[]; data: string }

export type SmtpSink = {
  url: string
  deliveries: Delivery[]
  /** The replies to give instead of the usual ones, by verb; null never answers. */
  replies: Record<string, string | null>
  /** Sends each reply after the banner a byte at a time, one every so many milliseconds. */
  trickleMs?: number
}

export async function startSmtpSink(): Promise<SmtpSink> {
  const sink: SmtpSink = { url: '', deliveries: [], replies: {} }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket, sink)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  sink.url = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return sink
}

function serve(socket: Socket, sink: SmtpSink): void {
  let unread = ''
  let inData = false
  let mail: Delivery = { from: '', to: [], data: '' }

  function reply(verb: string, usual: string): boolean {
    const text = verb in sink.replies ? sink.replies[verb] : usual
    if (text === null || text === undefined) return false
    if (sink.trickleMs && verb !== 'banner') trickle(socket, `${text}\r\n`, sink.trickleMs)
    else socket.write(`${text}\r\n`)
    return text === usual
  }

  function take(line: string): void {
    const verb = line.split(/[ :]/)[0]?.toUpperCase() ?? ''
    if (verb === 'EHLO') reply(verb, '250 SMTPUTF8')
    else if (verb === 'AUTH') reply(verb, '235 in')
    else if (verb === 'MAIL' && reply(verb, '250 ok')) mail = { from: line, to: [], data: '' }
    else if (verb === 'RCPT' && reply(verb, '250 ok')) mail.to.push(line)
    else if (verb === 'DATA') inData = reply(verb, '354 go on')
    else if (verb === 'STARTTLS') reply(verb, '502 not here')
    else if (verb === 'RSET') reply(verb, '250 ok')
    else if (verb === 'QUIT') socket.end('221 bye\r\n')
  }

  socket.on('data', (chunk) => {
    unread += chunk.toString()
    for (;;) {
      const end = inData ? '\r\n.\r\n' : '\r\n'
      const at = unread.indexOf(end)
      if (at < 0) return
      const text = unread.slice(0, at)
      unread = unread.slice(at + end.length)
      if (inData) {
        inData = false
        if (reply('.', '250 taken')) sink.deliveries.push({ ...mail, data: text })
      } else take(text)
    }
  })
  reply('banner', '220 sink')
}

function trickle(socket: Socket, text: string, everyMs: number): void {
  const [first, ...rest] = text
  if (first === undefined || socket.destroyed) return
  socket.write(first)
  setTimeout(() => trickle(socket, rest.join(''), everyMs), everyMs)
}
