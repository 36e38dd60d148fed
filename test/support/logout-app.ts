/** An app's ear for back-channel logout: a real server that checks each token as the specification asks. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { afterAll } from 'vitest'

export type LogoutApp = {
  /** For `--backchannel-logout-uri`. */
  uri: string
  /** `127.0.0.1:port`, for ALLOW_PRIVATE_TARGETS. */
  target: string
  /** Every token that came, with whatever was wrong with it. */
  heard: { token: string; problem?: string; header?: object; payload?: JWTPayload }[]
  /** What is answered from now on; `hang` answers nothing. */
  mood: number | 'hang'
  /** Who the tokens are for and from, once that is known. */
  expect(audience: string, issuer: string): void
}

/** Listens before the provider starts, since that has to be told whom it may call. */
export async function startLogoutApp(): Promise<LogoutApp> {
  let audience = ''
  let issuer = ''
  const app: LogoutApp = {
    uri: '',
    target: '',
    heard: [],
    mood: 200,
    expect: (client, provider) => {
      audience = client
      issuer = provider
    },
  }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const token = new URLSearchParams(body).get('logout_token') ?? ''
    app.heard.push({ token, ...(await judge(token)) })
    if (app.mood !== 'hang') response.writeHead(app.mood).end('a secret of the app')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  app.uri = `http://127.0.0.1:${port}/logout`
  app.target = `127.0.0.1:${port}`
  return app

  /** Back-Channel Logout 1.0 §2.6. */
  async function judge(token: string) {
    try {
      const answer = await fetch(`${issuer}/oauth2/jwks`)
      const keys = createLocalJWKSet((await answer.json()) as JSONWebKeySet)
      const { payload, protectedHeader: header } = await jwtVerify(token, keys, {
        audience,
        issuer,
        typ: 'logout+jwt',
        requiredClaims: ['iat', 'exp', 'jti', 'events', 'sub', 'sid'],
      })
      return { header, payload }
    } catch (error) {
      return { problem: (error as Error).message }
    }
  }
}

/** Waits until it holds, for what a job does meanwhile. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not come true')
}
