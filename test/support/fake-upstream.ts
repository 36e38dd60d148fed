/** An upstream that answers as it is told, lies included. One answer at a time: `next` says what the token endpoint gives. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll } from 'vitest'

type Json = Record<string, unknown>

export type Fake = {
  issuer: string
  /** What the authorization request said; its nonce goes into the next ID token. */
  asked: URLSearchParams
  next: {
    claims?: Json
    header?: Json
    /** Instead of a token that is signed well. */
    idToken?: (claims: Json) => Promise<string> | string
    /** Beside the ID token, or instead of it. */
    body?: Json
    status?: number
    userinfo?: Json
    /** Whole answers of any endpoint. */
    answer?: (request: IncomingMessage, response: ServerResponse) => boolean
  }
  metadata: Json
  /** The bodies that the token endpoint was sent. */
  posted: URLSearchParams[]
  headers: IncomingMessage['headers'][]
  requests: number
  sign(claims: Json, header?: Json): Promise<string>
}

export async function createFake(clientId = 'us'): Promise<Fake> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const kid = 'fake-1'
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }
  const server = createServer((request, response) => {
    void answer(request, response)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  afterAll(() => void server.close().closeAllConnections())
  const { port } = server.address() as { port: number }
  const issuer = `http://127.0.0.1:${port}`
  const fake: Fake = {
    issuer,
    asked: new URLSearchParams(),
    next: {},
    posted: [],
    headers: [],
    requests: 0,
    metadata: {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      userinfo_endpoint: `${issuer}/userinfo`,
      jwks_uri: `${issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: ['client_secret_post'],
      authorization_response_iss_parameter_supported: true,
    },
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, ...header }).sign(privateKey),
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    fake.requests += 1
    if (fake.next.answer?.(request, response)) return
    const path = new URL(request.url ?? '', issuer).pathname
    const json = (body: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (path === '/.well-known/openid-configuration') return json(fake.metadata)
    if (path === '/jwks') return json({ keys: [jwk] })
    if (path === '/userinfo') return json(fake.next.userinfo ?? { sub: 'someone' })
    if (path !== '/token') return json({}, 404)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    fake.posted.push(new URLSearchParams(Buffer.concat(chunks).toString()))
    fake.headers.push(request.headers)
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer,
      aud: clientId,
      sub: 'someone',
      nonce: fake.asked.get('nonce'),
      iat: now,
      exp: now + 300,
      email: 'someone@example.org',
      name: 'Some One',
      ...fake.next.claims,
    }
    const idToken = fake.next.idToken ?? ((given) => fake.sign(given, fake.next.header))
    const body = {
      access_token: 'upstream-access-token',
      token_type: 'Bearer',
      id_token: await idToken(claims),
    }
    json({ ...body, ...fake.next.body }, fake.next.status)
  }
  return fake
}
