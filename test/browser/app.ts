/** An app for people with a browser: one page that knows or does not know them, on a loopback port of its own. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll } from 'vitest'
import type { ClientInput } from '../../src/clients/create-client.ts'
import { newId } from '../../src/crypto.ts'
import { type Answer, type App, createApp, type Request } from '../support/relying-party.ts'
import type { TestServer } from '../support/server.ts'

export type BrowserApp = {
  name: string
  origin: string
  /** What the token endpoint answered, the newest last. */
  granted: Answer['body'][]
}

/**
 * `/` greets who is known and offers `#sign-in` or `#sign-out`; `/sign-in?…` begins a request with those parameters
 * added. It stands on 127.0.0.1 and the provider on localhost, so they are two sites to the browser.
 */
export async function startApp(
  server: Pick<TestServer, 'origin' | 'database'>,
  input: Pick<ClientInput, 'name'> & Partial<ClientInput>,
): Promise<BrowserApp> {
  const listener = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(page(input.name, `<p id="failure">${String(error)}</p>`))
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  afterAll(() => void listener.close().closeAllConnections())
  const { port } = listener.address() as { port: number }
  const origin = `http://127.0.0.1:${port}`
  const client: App = await createApp(server, {
    preset: 'web',
    appUrl: origin,
    redirectUris: [`${origin}/callback`],
    ...input,
  })
  const begun = new Map<string, Request>()
  const known = new Map<string, { username: string; idToken: string }>()
  const granted: Answer['body'][] = []

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin)
    const go = (location: string) => response.writeHead(303, { location }).end()
    const session = new RegExp(`app${port}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1] ?? ''
    if (url.pathname === '/sign-in') {
      const begin = client.begin(Object.fromEntries(url.searchParams))
      begun.set(begin.state, begin)
      go(begin.url)
    } else if (url.pathname === '/callback') {
      const posted = request.method === 'POST' ? await text(request) : undefined
      const answered = new URLSearchParams(posted ?? url.search)
      if (answered.has('error')) return refused(response, String(answered.get('error')))
      const id = await redeem(answered)
      response.setHeader('set-cookie', `app${port}=${id}; Path=/; HttpOnly; SameSite=Lax`)
      go('/')
    } else if (url.pathname === '/sign-out') {
      const idToken = known.get(session)?.idToken
      known.delete(session)
      const back = url.searchParams.get('post_logout_redirect_uri') ?? undefined
      go(client.logoutUrl({ id_token_hint: idToken, post_logout_redirect_uri: back }))
    } else {
      const person = known.get(session)
      const signedIn = `<p>Hello <b id="person">${person?.username}</b></p><a id="sign-out" href="/sign-out">Leave</a>`
      const body = person ? signedIn : '<a id="sign-in" href="/sign-in">Sign in</a>'
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(page(input.name, body))
    }
  }

  async function redeem(answered: URLSearchParams): Promise<string> {
    const request = begun.get(answered.get('state') ?? '')
    if (!request) throw new Error('an answer that was not asked for')
    const { body } = await client.redeem(request, answered.get('code') ?? '')
    if (!body.id_token) throw new Error(JSON.stringify(body))
    granted.push(body)
    const claims = JSON.parse(
      Buffer.from(body.id_token.split('.')[1] ?? '', 'base64url').toString(),
    )
    const id = newId()
    known.set(id, { username: claims.preferred_username, idToken: body.id_token })
    return id
  }

  function refused(response: ServerResponse, error: string): void {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(
      page(input.name, `<p id="refused">${error}</p><a id="sign-in" href="/sign-in">Again</a>`),
    )
  }

  return { name: input.name, origin, granted }
}

function page(name: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><title>${name}</title><h1>${name}</h1>${body}</html>`
}
