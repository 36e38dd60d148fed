/** A TCP port of this machine that counts who connects, whatever they say; ended when the test file ends. */
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll } from 'vitest'

export type Listener = { port: number; connections(): number }

/** Accepts and says nothing, unless it is told how to answer HTTP. */
export async function listenAt(address: string, answer?: RequestListener): Promise<Listener> {
  let connections = 0
  const server: Server = answer ? createHttpServer(answer) : createServer()
  server.on('connection', (socket) => {
    connections += 1
    socket.on('error', () => {})
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  const open = new Set<{ destroy(): void }>()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, address, resolve)
  })
  afterAll(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}
