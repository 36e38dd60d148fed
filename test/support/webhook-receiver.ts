/** A service that is told: a real server that checks each message with the reference library. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll } from 'vitest'

export type Heard = {
  id: string
  signatures: number
  problem?: string
  message?: unknown
  body: string
}

export type Receiver = {
  url: string
  /** `127.0.0.1:port`, for ALLOW_PRIVATE_TARGETS. */
  target: string
  heard: Heard[]
  /** What is answered from now on; `hang` answers nothing. */
  mood: number | 'hang'
  /** What it checks signatures with. */
  secret: string
}

export async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { url: '', target: '', heard: [], mood: 200, secret: '' }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const headers = request.headers as Record<string, string>
    const id = headers['webhook-id'] ?? ''
    const signatures = (headers['webhook-signature'] ?? '').split(' ').length
    try {
      const message = new Webhook(receiver.secret).verify(body, headers)
      receiver.heard.push({ id, signatures, message, body })
    } catch (error) {
      receiver.heard.push({ id, signatures, problem: (error as Error).message, body })
    }
    if (receiver.mood !== 'hang') {
      response.writeHead(receiver.mood, { location: 'http://127.0.0.1:1/' }).end('an answer')
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  receiver.url = `http://127.0.0.1:${port}/hooks`
  receiver.target = `127.0.0.1:${port}`
  return receiver
}
