import { expect, test } from 'vitest'
import { serveAssets } from '../../src/http/assets.ts'
import { above, serve, views } from './support.ts'

const page = views.page(
  'message',
  { kind: 'not-found', languageLinks: [] },
  { locale: 'en', nonce: 'n' },
)
const path = String(/\/assets\/[\w.-]+\.css/.exec(page)?.[0])

test('the stylesheet that a page links to is there, for ever, and HEAD says so', async () => {
  const { ask } = await serve([...above(), serveAssets(views)])
  const { status, headers, body } = await ask(path)
  expect(status).toBe(200)
  expect(headers).toMatchObject({
    'content-type': 'text/css; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
  })
  expect(body.length).toBeGreaterThan(100)
  const head = await ask(path, { method: 'HEAD' })
  expect([head.status, head.body, head.headers['content-length']]).toEqual([
    200,
    '',
    headers['content-length'],
  ])
  const again = await ask(path, { headers: { 'if-none-match': String(headers.etag) } })
  expect([again.status, again.body]).toEqual([304, ''])
})

test('it is sent compressed to whoever reads that, under an ETag of its own', async () => {
  const { ask } = await serve([...above(), serveAssets(views)])
  const plain = await ask(path)
  const etags = new Set([plain.headers.etag])
  for (const encoding of ['br', 'gzip']) {
    const { headers, body } = await ask(path, { headers: { 'accept-encoding': encoding } })
    expect(headers).toMatchObject({ 'content-encoding': encoding, vary: 'Accept-Encoding' })
    expect(body.length).toBeLessThan(plain.body.length / 2)
    etags.add(headers.etag)
  }
  expect(etags.size).toBe(3)
  expect(plain.headers['content-encoding']).toBe(undefined)
  const none = await ask(path, { headers: { 'accept-encoding': 'br;q=0, zstd' } })
  expect(none.headers['content-encoding']).toBe(undefined)
})

test('WB-12: nothing else lies there', async () => {
  const { ask } = await serve([...above(), serveAssets(views)])
  for (const other of [
    '/assets/',
    '/assets/../package.json',
    '/assets/%2e%2e/package.json',
    `${path}x`,
    '/assets/look.css',
  ]) {
    expect([other, (await ask(other)).status]).toEqual([other, 404])
  }
  expect((await ask(path, { method: 'POST' })).status).toBe(404)
})
