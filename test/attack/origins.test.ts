/** Pages without an origin of their own: sandboxed frames, local files, data addresses. All of them are "null". */
import { expect, test } from 'vitest'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const app = await createApp(server, {
  preset: 'native',
  redirectUris: ['com.example.app:/cb', 'http://127.0.0.1/cb'],
})

test('OA-14: an app with an address of its own scheme lets no page without an origin read its answers', async () => {
  const answer = await fetch(`${server.origin}/oauth2/token`, {
    method: 'POST',
    headers: { origin: 'null' },
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: app.id,
      refresh_token: 'x',
    }),
  })
  expect(answer.headers.get('access-control-allow-origin')).toBeNull()
})
