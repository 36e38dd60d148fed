import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import {
  clientAddress,
  isLoopbackPeer,
  limitKeyAddress,
  networkOf,
  trustProxies,
} from '../../src/http/client-address.ts'

const trust = trustProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8:ffff::/48'])

function from(
  remoteAddress: string,
  headers: Record<string, string | string[]> = {},
): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage
}
const address = (peer: string, forwarded?: string) =>
  clientAddress(from(peer, forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }), trust)

test('PW-17: a peer that is no trusted proxy cannot speak for anybody else', () => {
  expect(address('203.0.113.9', '198.51.100.1')).toBe('203.0.113.9')
  expect(address('203.0.113.9', '10.0.0.1, 198.51.100.1')).toBe('203.0.113.9')
  expect(clientAddress(from('203.0.113.9'), trustProxies([]))).toBe('203.0.113.9')
})

test('PW-17: behind a trusted proxy the right-most hop that is not one counts', () => {
  expect(address('10.0.0.1', '198.51.100.1')).toBe('198.51.100.1')
  expect(address('10.0.0.1', '1.1.1.1, 198.51.100.1')).toBe('198.51.100.1')
  expect(address('10.0.0.1', '1.1.1.1, 198.51.100.1, 10.9.9.9,192.0.2.1')).toBe('198.51.100.1')
  expect(address('2001:db8:ffff::5', '2001:db8:1::7')).toBe('2001:db8:1::7')
})

test('PW-17: several X-Forwarded-For headers read as one, and Forwarded is never read', () => {
  const headers = { 'x-forwarded-for': ['1.1.1.1', '198.51.100.1'], forwarded: 'for=8.8.8.8' }
  expect(clientAddress(from('10.0.0.1', headers), trust)).toBe('198.51.100.1')
  expect(clientAddress(from('10.0.0.1', { forwarded: 'for=8.8.8.8' }), trust)).toBe('10.0.0.1')
})

test('PW-17: what stands left of an unreadable hop is not believed', () => {
  expect(address('10.0.0.1', '1.1.1.1, unknown')).toBe('10.0.0.1')
  expect(address('10.0.0.1', '1.1.1.1, , 10.0.0.2')).toBe('10.0.0.2')
  expect(address('10.0.0.1', '198.51.100.1\u0000')).toBe('10.0.0.1')
})

test('when every hop is a trusted proxy, the first one is the client', () => {
  expect(address('10.0.0.1', '10.0.0.3, 10.0.0.2')).toBe('10.0.0.3')
})

test('ports, brackets, zones and other spellings of one address make no difference', () => {
  expect(address('::ffff:10.0.0.1', '198.51.100.1:4711')).toBe('198.51.100.1')
  expect(address('::ffff:a00:1', '[2001:DB8:0:0:0:0:0:7]:4711')).toBe('2001:db8::7')
  expect(address('fe80::1%eth0')).toBe('fe80::1')
  expect(address('::ffff:203.0.113.9')).toBe('203.0.113.9')
})

test('PW-16: limits see one IPv6 household, and a network, as one', () => {
  expect(limitKeyAddress('203.0.113.9')).toBe('203.0.113.9')
  expect(limitKeyAddress('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
  expect(limitKeyAddress('2001:db8::1')).toBe(limitKeyAddress('2001:db8::ffff:1'))
  expect(limitKeyAddress('2001:db8:0:1::1')).not.toBe(limitKeyAddress('2001:db8::1'))
  expect(networkOf('203.0.113.9')).toBe('203.0.113.0/24')
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1::/48')
  expect(networkOf('::1')).toBe('0:0:0::/48')
})

test('a loopback peer is one that nobody forwarded', () => {
  expect(isLoopbackPeer(from('127.0.0.1'))).toBe(true)
  expect(isLoopbackPeer(from('::ffff:127.0.0.1'))).toBe(true)
  expect(isLoopbackPeer(from('::1'))).toBe(true)
  expect(isLoopbackPeer(from('127.0.0.1', { 'x-forwarded-for': '198.51.100.1' }))).toBe(false)
  expect(isLoopbackPeer(from('127.0.0.1', { forwarded: 'for=198.51.100.1' }))).toBe(false)
  expect(isLoopbackPeer(from('198.51.100.1'))).toBe(false)
  expect(isLoopbackPeer(from(''))).toBe(false)
})
