import { describe, expect, test } from 'vitest'
import { parseCertificate } from '../../src/http/client-certificate.ts'
import { makeAuthority } from '../support/certificates.ts'

const { cert, key, certificate } = makeAuthority()
const base64 = certificate.raw.toString('base64')

describe('a certificate in a header', () => {
  test.each([
    ['percent-encoded PEM', encodeURIComponent(cert)],
    ['PEM with spaces', cert.trim().replaceAll('\n', ' ')],
    ['PEM with tabs', cert.trim().replaceAll('\n', '\t')],
    ['base64', base64],
    ['percent-encoded base64', encodeURIComponent(base64)],
    ['base64 between colons', `:${base64}:`],
  ])('is read from %s', (_, header) => {
    expect(parseCertificate(header)?.fingerprint256).toBe(certificate.fingerprint256)
  })

  test.each([
    ['nothing', ''],
    ['a word', '(null)'],
    ['broken percent-encoding', '%E0%A4%A'],
    ['half of it', base64.slice(0, 100)],
    ['two of them', encodeURIComponent(`${cert}${cert}`)],
    ['a private key', encodeURIComponent(key)],
    ['one with text around it', encodeURIComponent(`subject=x\n${cert}`)],
    ['too much', 'A'.repeat(20_000)],
  ])('is not read from %s', (_, header) => {
    expect(parseCertificate(header)).toBeUndefined()
  })
})
