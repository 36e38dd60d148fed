import { expect, test } from 'vitest'
import { createNetworks, parseNetwork } from '../../src/blocks/networks.ts'

const network = (text: string) => {
  const parsed = parseNetwork(text)
  if (!parsed) throw new Error(text)
  return parsed
}

test.each([
  ['192.0.2.0/24', '192.0.2.255', true],
  ['192.0.2.0/24', '192.0.3.0', false],
  ['192.0.2.77/24', '192.0.2.1', true],
  ['192.0.2.7', '192.0.2.7', true],
  ['192.0.2.7', '192.0.2.8', false],
  ['2001:db8::/64', '2001:db8::ffff:1', true],
  ['2001:db8::/64', '2001:db8:0:1::1', false],
  ['2001:0DB8:0:0::/64', '2001:db8::1', true],
  ['::ffff:192.0.2.0/120', '192.0.2.9', false],
  ['::ffff:192.0.2.9', '192.0.2.9', true],
  ['64:ff9b::192.0.2.0/120', '64:ff9b::c000:209', true],
  ['10.0.0.0/8', '::a00:1', false],
  ['10.0.0.0/8', 'nonsense', false],
])('%s holds %s: %s', (text, address, held) => {
  const parsed = parseNetwork(text)
  const found = parsed && createNetworks([[parsed, 'it']]).find(address)
  expect(found === 'it').toBe(held)
})

test.each([
  '',
  'nonsense',
  '192.0.2.0/33',
  '192.0.2.0/24/24',
  '1.2.3',
  '::/129',
  'fe80::1%eth0',
  '1.2.3.4/-1',
])('%j is no network', (text) => expect(parseNetwork(text)).toBeUndefined())

test('the widest counts, unless it does not count any more', () => {
  const networks = createNetworks([
    [network('192.0.2.7'), 'narrow'],
    [network('192.0.0.0/16'), 'wide'],
  ])
  expect(networks.find('192.0.2.7')).toBe('wide')
  expect(networks.find('192.0.2.7', (value) => value !== 'wide')).toBe('narrow')
})
