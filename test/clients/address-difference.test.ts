import fc from 'fast-check'
import { expect, test } from 'vitest'
import { explainAddress } from '../../src/clients/address-difference.ts'

const registered = ['https://app.example.com/cb', 'https://app.example.com/cb?x=1']

test.each([
  ['http://app.example.com/cb', 'scheme', 4],
  ['https://app.example.org/cb', 'host', 20],
  ['https://app.example.com:8443/cb', 'port', 23],
  ['https://app.example.com/cb/', 'slash', 26],
  ['https://app.example.com/CB', 'case', 24],
  ['https://app.example.com/cb/../evil', 'path', 26],
  ['https://app.example.com/cb#frag', 'fragment', 26],
])('%s differs in its %s', (received, part, at) => {
  expect(explainAddress(received, registered)).toMatchObject({ part, at, nearest: registered[0] })
})

test('the nearest registered address is named, with the first character that differs', () => {
  const difference = explainAddress('https://app.example.com/cb?x=2', registered)
  expect(difference).toMatchObject({ part: 'query', nearest: registered[1], at: 29 })
})

test('values of the query, user names and fragments are not kept', () => {
  const { received } = explainAddress(
    'https://me:secret@evil.example/cb?token=hush#more',
    registered,
  )
  expect(received).toBe('https://…@evil.example/cb?token=…#…')
})

test('without a registered address it says that none is there', () => {
  expect(explainAddress('https://a.example/', [])).toEqual({
    received: 'https://a.example/',
    part: 'missing',
  })
})

test('it never throws, whatever came', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.webUrl()), (received, uris) => {
      const { at = 0, received: shown } = explainAddress(received, uris)
      expect(at).toBeLessThanOrEqual(shown.length)
    }),
  )
})
