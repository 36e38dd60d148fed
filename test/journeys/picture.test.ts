/** Pictures: drawn anew whatever was uploaded, shown to apps, removed; and what is no picture. */
import sharp from 'sharp'
import { beforeAll, expect, test } from 'vitest'
import type { Visitor } from '../../src/demo/visitor.ts'
import { signedIn } from '../support/account.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

async function upload(browser: Visitor, file: Buffer, csrf?: string): Promise<Response> {
  const page = await browser.get(`${server.origin}/account/profile`)
  const form = new FormData()
  form.set('csrf', csrf ?? /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '')
  form.set('file', new Blob([new Uint8Array(file)]), '../../etc/passwd')
  const cookie = [...browser.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
  return fetch(`${server.origin}/account/picture`, {
    method: 'POST',
    body: form,
    redirect: 'manual',
    headers: { cookie, origin: server.origin },
  })
}

async function pictureOf({ id }: Person): Promise<string | null> {
  const { rows } = await server.database.pool.query(
    'select picture_url from accounts where id = $1',
    [id],
  )
  return rows[0].picture_url
}

const photo = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#3b5bdb' } })
    .withExif({ IFD0: { Copyright: 'secret place' } })
    .jpeg()
    .toBuffer()

test('an upload becomes a small square without EXIF, at an address that may be kept', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  expect((await upload(browser, await photo(900, 400))).status).toBe(303)
  const url = (await pictureOf(person)) ?? ''
  expect(url).toMatch(/\/pictures\/[\w-]{22}\.webp$/)
  const served = await fetch(url)
  expect(served.headers.get('content-type')).toBe('image/webp')
  expect(served.headers.get('cache-control')).toContain('immutable')
  expect(served.headers.get('x-content-type-options')).toBe('nosniff')
  const { width, height, exif } = await sharp(await served.arrayBuffer()).metadata()
  expect({ width, height, exif }).toEqual({ width: 256, height: 256, exif: undefined })
  await upload(browser, await photo(300, 300))
  expect(await pictureOf(person)).not.toBe(url)
  expect((await fetch(url)).status).toBe(404)
})

test('what is no picture, holds markup or claims too many pixels is refused', async () => {
  const person = await createPerson(server)
  const browser = await signedIn(server, person)
  const bomb = await sharp({
    create: { width: 9000, height: 9000, channels: 3, background: '#000' },
    limitInputPixels: false,
  })
    .png()
    .toBuffer()
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>')
  for (const file of [Buffer.from('hello'), svg, bomb, Buffer.alloc(0)]) {
    await upload(browser, file)
    const page = await browser.get(`${server.origin}/account/profile`)
    expect(page.status).toBe(200)
    expect(await pictureOf(person)).toBeNull()
  }
  expect((await upload(browser, Buffer.alloc(6 * 1024 * 1024))).status).toBe(413)
  expect((await upload(browser, await photo(10, 10), 'x')).status).toBe(403)
  expect(await pictureOf(person)).toBeNull()
})

test('no address but a known one is answered', async () => {
  for (const name of ['x', `${'a'.repeat(22)}.webp`, '..%2f..%2fetc%2fpasswd']) {
    expect((await fetch(`${server.origin}/pictures/${name}`)).status).toBeGreaterThanOrEqual(400)
  }
})
