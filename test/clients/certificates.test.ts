import { describe, expect, test } from 'vitest'
import {
  findSubjectFault,
  isVouchedFor,
  namesSubject,
  readAuthorities,
  type TlsSubject,
} from '../../src/clients/certificates.ts'
import { daysAhead, makeAuthority, makeCertificate } from '../support/certificates.ts'

const authority = makeAuthority()
const subject: Parameters<typeof makeCertificate>[0]['subject'] = [
  ['C', 'DE'],
  ['O', 'Ex, "ample" + Söhne'],
  ['organizationIdentifier', 'PSDDE-BAFIN-1'],
  ['CN', 'app.example.com'],
]
const alternatives = [
  { dns: 'App.example.com' },
  { uri: 'https://app.example.com/id?a=1,b' },
  { ip: '192.0.2.7' },
  { email: 'ops@example.com' },
]
const { certificate } = makeCertificate({ subject, issuer: authority, alternatives })

describe('who vouches for a certificate', () => {
  const authorities = [authority.certificate]
  const issued = (options: Partial<Parameters<typeof makeCertificate>[0]>) =>
    makeCertificate({ subject, issuer: authority, ...options }).certificate

  test('one of the registered authorities', () => {
    expect(isVouchedFor(certificate, authorities)).toBe(true)
    expect(isVouchedFor(certificate, [makeAuthority('Other').certificate, ...authorities])).toBe(
      true,
    )
    expect(isVouchedFor(issued({ usages: ['1.3.6.1.5.5.7.3.2'] }), authorities)).toBe(true)
  })

  test.each([
    ['nobody', makeCertificate({ subject }).certificate],
    [
      'an authority that calls itself the same',
      makeCertificate({ subject, issuer: makeAuthority() }).certificate,
    ],
    [
      'another app of the same authority',
      makeCertificate({ subject, issuer: makeCertificate({ subject, issuer: authority }) })
        .certificate,
    ],
    ['an authority about itself', authority.certificate],
  ])('not %s', (_, found) => {
    expect(isVouchedFor(found, authorities)).toBe(false)
  })

  test('not before it begins, after it ends, or for servers alone', () => {
    expect(isVouchedFor(issued({ validFrom: daysAhead(1) }), authorities)).toBe(false)
    expect(isVouchedFor(issued({ validTo: daysAhead(-0.5) }), authorities)).toBe(false)
    expect(isVouchedFor(issued({ usages: ['1.3.6.1.5.5.7.3.1'] }), authorities)).toBe(false)
  })

  test('nor an authority that has ended itself, nor none', () => {
    const old = makeCertificate({
      subject: [['CN', 'Old']],
      authority: true,
      validTo: daysAhead(-0.5),
    })
    const late = makeCertificate({ subject, issuer: old }).certificate
    expect(isVouchedFor(late, [old.certificate])).toBe(false)
    expect(isVouchedFor(certificate, [])).toBe(false)
  })
})

describe('whom a certificate names', () => {
  const names = (property: TlsSubject, expected: string) =>
    namesSubject(certificate, property, expected)

  test.each([
    'CN=app.example.com,organizationIdentifier=PSDDE-BAFIN-1,O=Ex\\, \\"ample\\" \\+ Söhne,C=DE',
    'cn=app.example.com, 2.5.4.97=PSDDE-BAFIN-1, O=Ex\\2C \\22ample\\22 \\2B S\\C3\\B6hne, C=DE',
  ])('the subject %s', (dn) => {
    expect(names('tls_client_auth_subject_dn', dn)).toBe(true)
  })

  test.each([
    ['a part of it', 'CN=app.example.com'],
    [
      'another order',
      'C=DE,O=Ex\\, \\"ample\\" \\+ Söhne,organizationIdentifier=PSDDE-BAFIN-1,CN=app.example.com',
    ],
    [
      'more',
      'CN=app.example.com,organizationIdentifier=PSDDE-BAFIN-1,O=Ex\\, \\"ample\\" \\+ Söhne,C=DE,C=DE',
    ],
    [
      'another case',
      'CN=APP.example.com,organizationIdentifier=PSDDE-BAFIN-1,O=Ex\\, \\"ample\\" \\+ Söhne,C=DE',
    ],
    [
      'several values as one',
      'CN=app.example.com+organizationIdentifier=PSDDE-BAFIN-1,O=Ex\\, \\"ample\\" \\+ Söhne,C=DE',
    ],
    ['nothing', ''],
  ])('not %s', (_, dn) => {
    expect(names('tls_client_auth_subject_dn', dn)).toBe(false)
  })

  test('a name that holds what looks like another name is still one name', () => {
    const sly = makeCertificate({
      subject: [['CN', 'evil\nCN=app.example.com']],
      issuer: authority,
    })
    expect(namesSubject(sly.certificate, 'tls_client_auth_subject_dn', 'CN=app.example.com')).toBe(
      false,
    )
    const comma = makeCertificate({ subject: [['CN', 'app,O=Bank']], issuer: authority })
    expect(namesSubject(comma.certificate, 'tls_client_auth_subject_dn', 'CN=app,O=Bank')).toBe(
      false,
    )
    expect(namesSubject(comma.certificate, 'tls_client_auth_subject_dn', 'CN=app\\,O\\=Bank')).toBe(
      true,
    )
  })

  test('one of its alternatives, of the same kind', () => {
    expect(names('tls_client_auth_san_dns', 'app.EXAMPLE.com')).toBe(true)
    expect(names('tls_client_auth_san_uri', 'https://app.example.com/id?a=1,b')).toBe(true)
    expect(names('tls_client_auth_san_ip', '192.0.2.7')).toBe(true)
    expect(names('tls_client_auth_san_email', 'ops@example.com')).toBe(true)
    expect(names('tls_client_auth_san_dns', '192.0.2.7')).toBe(false)
    expect(names('tls_client_auth_san_dns', 'example.com')).toBe(false)
    expect(names('tls_client_auth_san_uri', 'https://app.example.com/id?a=1')).toBe(false)
    expect(names('tls_client_auth_san_email', 'OPS@example.com')).toBe(false)
  })

  test('an alternative that holds what looks like another is still one', () => {
    const sly = makeCertificate({
      subject,
      issuer: authority,
      alternatives: [
        { dns: 'evil.example, DNS:app.example.com' },
        { uri: 'x:a, DNS:bank.example' },
      ],
    })
    for (const dns of ['app.example.com', 'bank.example']) {
      expect(namesSubject(sly.certificate, 'tls_client_auth_san_dns', dns)).toBe(false)
    }
  })
})

test('what is registered has to be such that a certificate could bear it', () => {
  const fault = (property: TlsSubject, value: string) => findSubjectFault(property, value)?.message
  expect(fault('tls_client_auth_subject_dn', 'CN=app,O=Example')).toBeUndefined()
  for (const dn of ['', 'app', 'CN=', 'CN=a,,O=b', '=a', 'CN=#0c0161', '/CN=app']) {
    expect(fault('tls_client_auth_subject_dn', dn), dn).toContain('distinguished name')
  }
  expect(fault('tls_client_auth_san_dns', '*.example.com')).toBeDefined()
  expect(fault('tls_client_auth_san_ip', '192.0.2')).toBeDefined()
  expect(fault('tls_client_auth_san_email', 'a b@c')).toBeDefined()
  expect(fault('tls_client_auth_san_uri', 'app')).toBeDefined()
})

test('authorities are certificates of authorities, and nothing else', () => {
  expect(readAuthorities(authority.cert)).toHaveLength(1)
  expect(readAuthorities(`${authority.cert}\n${makeAuthority('Two').cert}`)).toHaveLength(2)
  for (const text of ['', 'hello', certificate.toString(), `${authority.cert}\n${authority.key}`]) {
    expect(readAuthorities(text)).toBeUndefined()
  }
})
