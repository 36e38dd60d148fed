/** What counts as the open internet. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPublicAddress } from '../../src/outgoing/addresses.ts'

test.each([
  ['this machine', ['127.0.0.1', '127.255.255.254', '::1', '0.0.0.0', '::']],
  [
    'private networks',
    ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.0.1', 'fd12::1', 'fc00::1'],
  ],
  ['metadata services', ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '168.63.129.16']],
  ['link-local', ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1']],
  [
    'shared and test networks',
    ['100.64.0.1', '198.18.0.1', '192.0.2.1', '203.0.113.9', '2001:db8::1'],
  ],
  [
    'multicast and reserved',
    ['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', 'ff02::1'],
  ],
  ['IPv4 in other clothes', ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::7f00:1', '64:ff9b::7f00:1']],
  ['tunnels to IPv4', ['2002:7f00:1::', '2001:0:7f00:1::1', '64:ff9b:1::a00:1']],
  ['what is no address', ['', 'localhost', '127.1', '2130706433', '0x7f.0.0.1', '1.2.3.4.5']],
])('SS-03, SS-05: %s is not public', (_what, addresses) => {
  for (const address of addresses) expect(isPublicAddress(address), address).toBe(false)
})

test('what the internet is made of is public', () => {
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '2606:4700::1111',
    '2a00::1',
  ]) {
    expect(isPublicAddress(address), address).toBe(true)
  }
})

test('SS-05: no IPv4 address becomes public by being written as IPv6', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(isPublicAddress(`::ffff:${address}`)).toBe(false)
      expect(isPublicAddress(`::${address}`)).toBe(false)
    }),
  )
})
