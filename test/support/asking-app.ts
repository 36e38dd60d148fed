/** An app that asks people by the backchannel (CIBA), and a place where it can be told that they have decided. */
import { createServer } from 'node:https'
import { text } from 'node:stream/consumers'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll } from 'vitest'
import type { Visitor } from '../../src/demo/visitor.ts'
import { makeAuthority, makeCertificate } from './certificates.ts'
import type { Answer, App, Parameters } from './relying-party.ts'

export const backchannelGrant = 'urn:openid:params:grant-type:ciba'

export type Question = { id: string; answer: Answer }

export async function ask(app: App, parameters: Parameters): Promise<Question> {
  const answer = await app.post('bc-authorize', {
    scope: 'openid profile offline_access',
    ...parameters,
  })
  return { id: String(answer.body.auth_req_id), answer }
}

export function pollFor(app: App, { id }: Pick<Question, 'id'>, more: Parameters = {}) {
  return app.post('token', { grant_type: backchannelGrant, auth_req_id: id, ...more })
}

/** Answers the only question that waits for the person who is signed in here. */
export async function decide(visitor: Visitor, origin: string, decision: 'continue' | 'cancel') {
  const page = await visitor.get(`${origin}/account/requests`)
  const [button] = buttonsOf(page.body, decision)
  if (!button) throw new Error('no question waits')
  return visitor.press(page, button)
}

export function buttonsOf(body: string, decision: 'continue' | 'cancel'): string[] {
  return [...body.matchAll(new RegExp(`id="(${decision}-[0-9a-f]{64})"`, 'g'))].map(
    ([, id = '']) => id,
  )
}

export type Ping = { authorization: string | undefined; body: unknown }

/** Answers each ping by what `statuses` say, in turn, and then by 204. */
export async function startNotificationEndpoint(statuses: number[] = []) {
  const pings: Ping[] = []
  const usual = getCACertificates('default')
  const issuer = makeAuthority()
  const { cert, key } = makeCertificate({
    subject: [['CN', 'localhost']],
    issuer,
    alternatives: [{ dns: 'localhost' }],
  })
  setDefaultCACertificates([...usual, issuer.cert])
  const server = createServer({ cert, key }, async (request, response) => {
    const body: unknown = JSON.parse((await text(request)) || 'null')
    pings.push({ authorization: request.headers.authorization, body })
    const status = statuses.shift() ?? 204
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    setDefaultCACertificates(usual)
    server.close().closeAllConnections()
  })
  const { port } = server.address() as { port: number }
  return { url: `https://localhost:${port}/ping`, host: `localhost:${port}`, pings }
}
