/** What is never called: no connection arrives, whatever the address looks like. */
import { expect, test } from 'vitest'
import { OutgoingError } from '../../src/outgoing/errors.ts'
import { createOutgoing, type OutgoingRequest } from '../../src/outgoing/outgoing.ts'
import { listenAt } from './listener.ts'

const issuer = 'https://id.example.org'
const ipv4 = await listenAt('127.0.0.1')
const ipv6 = await listenAt('::1')
const outgoing = createOutgoing({ issuer, allowPrivateTargets: [] })

type Options = Partial<Parameters<typeof createOutgoing>[0]>

async function reasonOf(
  url: string,
  options?: Options,
  request?: OutgoingRequest,
): Promise<string> {
  const client = options
    ? createOutgoing({ issuer, allowPrivateTargets: [], ...options })
    : outgoing
  const error = await client.fetch(url, request).then(
    (response) => new Error(`answered ${response.status}`),
    (error: unknown) => error,
  )
  if (!(error instanceof OutgoingError)) throw error
  return error.reason
}

const { port } = ipv4
test.each([
  ['SS-01', `https://127.0.0.1:${port}/`],
  ['SS-01', `https://localhost:${port}/`],
  ['SS-01', `https://localhost.:${port}/`],
  ['SS-01', `https://LOCALHOST:${port}/`],
  ['SS-01', `https://[::1]:${ipv6.port}/`],
  ['SS-01', `https://0.0.0.0:${port}/`],
  ['SS-01', `https://[::]:${ipv6.port}/`],
  ['SS-02', 'https://169.254.169.254/latest/meta-data/'],
  ['SS-02', 'https://[fd00:ec2::254]/latest/meta-data/'],
  ['SS-03', 'https://10.0.0.1/'],
  ['SS-03', 'https://192.168.1.1/'],
  ['SS-03', 'https://172.16.3.4/'],
  ['SS-04', `https://2130706433:${port}/`],
  ['SS-04', `https://0177.0.0.1:${port}/`],
  ['SS-04', `https://0x7f000001:${port}/`],
  ['SS-04', `https://127.1:${port}/`],
  ['SS-04', `https://①②⑦.0.0.1:${port}/`],
  ['SS-05', `https://[::ffff:127.0.0.1]:${port}/`],
  ['SS-05', `https://[0:0:0:0:0:ffff:7f00:1]:${port}/`],
  ['SS-05', `https://[64:ff9b::127.0.0.1]:${port}/`],
])('%s: %s is private', async (_id, url) => {
  expect(await reasonOf(url)).toBe('private')
})

test('SS-06: a name that resolves to a private address is refused, hidden among public ones too', async () => {
  const at = (...addresses: string[]) => ({
    resolve: async () =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  })
  for (const answer of [
    ['127.0.0.1'],
    ['93.184.215.14', '127.0.0.1'],
    ['::ffff:127.0.0.1'],
    ['fe80::1%lo'],
  ]) {
    expect(await reasonOf(`https://app.example.com:${port}/`, at(...answer))).toBe('private')
  }
  expect(await reasonOf('https://app.example.com/', at())).toBe('unresolved')
})

test('SS-09: nothing but the web is called', async () => {
  for (const url of [
    'file:///etc/passwd',
    'ftp://example.com/',
    'data:text/plain,x',
    'gopher://x/',
    'ws://x/',
  ]) {
    expect(await reasonOf(url)).toBe('scheme')
  }
  for (const url of [
    '',
    '/path',
    'example.com',
    'https://',
    `https://example.com/${'a'.repeat(2000)}`,
  ]) {
    expect(await reasonOf(url)).toBe('malformed')
  }
})

test('plain http is for targets that were allowed alone', async () => {
  const resolve = async () => [{ address: '93.184.215.14', family: 4 }]
  expect(await reasonOf('http://app.example.com/', { resolve })).toBe('insecure')
})

test('SS-10: the ports of other services are not called, on public hosts neither', async () => {
  const resolve = async () => [{ address: '93.184.215.14', family: 4 }]
  for (const service of [22, 25, 53, 110, 445, 2375, 3306, 5432, 6379, 9200, 11211, 27017]) {
    expect(await reasonOf(`https://app.example.com:${service}/`, { resolve })).toBe('port')
    const ranges = { allowPrivateTargets: ['127.0.0.0/8'] }
    expect(await reasonOf(`http://127.0.0.1:${service}/`, ranges)).toBe('port')
  }
})

test('SS-12: user names and fragments, with which an address pretends to be another, are refused', async () => {
  for (const url of [
    `https://app.example.com@127.0.0.1:${port}/`,
    `https://user:pass@app.example.com/`,
    'https://app.example.com:443@evil.example/',
  ]) {
    expect(await reasonOf(url)).toBe('userinfo')
  }
  for (const url of [`https://app.example.com/#@127.0.0.1:${port}/`, 'https://app.example.com/#']) {
    expect(await reasonOf(url)).toBe('fragment')
  }
})

test('SS-13: we do not call ourselves, even where private targets are allowed', async () => {
  expect(await reasonOf('https://id.example.org/oauth2/jwks')).toBe('own-issuer')
  expect(await reasonOf('https://ID.example.org.:443/')).toBe('own-issuer')
  const loopback = {
    issuer: `http://localhost:${port}`,
    allowPrivateTargets: ['127.0.0.0/8', '::1', `localhost:${port}`],
  }
  for (const host of ['localhost', '127.0.0.1', '[::1]', '127.0.0.7', '2130706433']) {
    expect(await reasonOf(`http://${host}:${port}/`, loopback)).toBe('own-issuer')
  }
})

test('no connection has arrived in all of this', () => {
  expect([ipv4.connections(), ipv6.connections()]).toEqual([0, 0])
})

test('a refusal names the host alone, and nothing of the path', async () => {
  const error = await outgoing.fetch('https://10.0.0.1/secret-path?token=1').catch((e: Error) => e)
  expect(error).toMatchObject({ reason: 'private', refused: true })
  expect((error as Error).message).toContain('10.0.0.1')
  expect((error as Error).message).not.toMatch(/secret|token/)
})
