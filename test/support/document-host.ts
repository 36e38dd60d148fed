/** A host that publishes documents of clients, over https on this machine, and counts who asks for what. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll } from 'vitest'
import { randomToken } from '../../src/crypto.ts'
import { makeAuthority, makeCertificate } from './certificates.ts'

export type Published = {
  status?: number
  headers?: Record<string, string>
  /** A text is sent as it is. */
  body?: unknown
  /** Sends a byte now and then, for ever. */
  slow?: boolean
}

export type DocumentHost = {
  host: string
  /** Paths, in the order they were asked for. */
  asked: string[]
  /** By path; a good document with these changes. Returns the client id. */
  publish(path: string, document?: Record<string, unknown>, more?: Published): string
}

export const redirectPath = '/cb'

export async function createDocumentHost(): Promise<DocumentHost> {
  // Two of one name could not be told apart.
  const authority = makeAuthority(`Documents ${randomToken(6)}`)
  const made = makeCertificate({
    subject: [['CN', '127.0.0.1']],
    issuer: authority,
    alternatives: [{ ip: '127.0.0.1' }],
  })
  const usual = getCACertificates('default')
  setDefaultCACertificates([...usual, authority.cert])
  const pages = new Map<string, Published>()
  const asked: string[] = []
  const server = createServer({ cert: made.cert, key: made.key }, (request, response) => {
    asked.push(request.url ?? '')
    const page = pages.get(request.url ?? '')
    const { status = 200, headers = {}, body = '', slow } = page ?? { status: 404 }
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    if (slow) {
      const drip = setInterval(() => response.write(' '), 200)
      response.on('close', () => clearInterval(drip))
      return
    }
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    setDefaultCACertificates(usual)
    server.closeAllConnections()
    server.close()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    host,
    asked,
    publish(path, document = {}, more = {}) {
      const id = `https://${host}${path}`
      const good = {
        client_id: id,
        client_name: 'Agent',
        redirect_uris: [`https://${host}${redirectPath}`],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'none',
        ...document,
      }
      pages.set(path, { body: good, ...more })
      return id
    },
  }
}
