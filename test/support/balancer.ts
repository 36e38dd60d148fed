/** One address in front of several nodes: each connection goes to the next of them, as behind a plain TCP balancer. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export type Balancer = {
  origin: string
  /** From now on connections go to these ports in turn. */
  spread(ports: number[]): void
}

export async function startBalancer(): Promise<Balancer> {
  const open = new Set<Socket>()
  let ports: number[] = []
  let turn = 0
  const keep = (socket: Socket) => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    return socket
  }
  const server = createServer((visitor) => {
    const node = keep(connect(ports[turn++ % ports.length] ?? 0, '127.0.0.1'))
    keep(visitor).pipe(node).pipe(visitor)
    visitor.on('close', () => node.destroy())
    node.on('close', () => visitor.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterAll(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    spread(to) {
      ports = to
    },
  }
}
