/** A mail server on loopback that keeps nothing but the code in a mail. */
import { type AddressInfo, createServer, type Socket } from 'node:net'

export type MailSink = {
  url: string
  /** Waits for the next code to this address. */
  code(address: string): Promise<string>
  close(): void
}

const patienceMs = 20_000

export async function startMailSink(): Promise<MailSink> {
  const codes = new Map<string, string>()
  const waiting = new Map<string, (code: string) => void>()
  const sockets = new Set<Socket>()
  const take = (address: string, mail: string) => {
    const code = /^\s*(\d{6})\s*$/m.exec(mail)?.[1]
    if (code === undefined) return
    const tell = waiting.get(address)
    waiting.delete(address)
    if (tell) tell(code)
    else codes.set(address, code)
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    serve(socket, take)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${port}`,
    code(address) {
      const known = codes.get(address)
      codes.delete(address)
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((resolve, reject) => {
        const tooLong = setTimeout(() => reject(new Error(`no mail to ${address}`)), patienceMs)
        waiting.set(address, (code) => {
          clearTimeout(tooLong)
          resolve(code)
        })
      })
    },
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function serve(socket: Socket, take: (address: string, mail: string) => void): void {
  let unread = ''
  let inMail = false
  let recipient = ''
  socket.on('data', (chunk) => {
    unread += chunk.toString('latin1')
    for (;;) {
      const end = inMail ? '\r\n.\r\n' : '\r\n'
      const at = unread.indexOf(end)
      if (at < 0) return
      const text = unread.slice(0, at)
      unread = unread.slice(at + end.length)
      if (inMail) {
        inMail = false
        take(recipient, text)
        socket.write('250 taken\r\n')
      } else command(text)
    }
  })
  socket.write('220 sink\r\n')

  function command(line: string): void {
    if (line === 'DATA') {
      inMail = true
      socket.write('354 go on\r\n')
    } else if (line === 'QUIT') socket.end('221 bye\r\n')
    else {
      recipient = /^RCPT TO:<([^>]+)>/.exec(line)?.[1] ?? recipient
      socket.write('250 ok\r\n')
    }
  }
}
