/** A sender whom the world believes: DNS as it may answer, and a mail server that may refuse. */
import { beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { startSmtpSink } from '../mail/smtp-sink.ts'
import { complaints, look, patientOf } from './patient.ts'

const sink = await startSmtpSink()
const password = 'p%C3%A4sswort-of-mail'
const config = readConfig({
  ISSUER: 'https://id.example.org',
  SECRET_KEY: 'abcdefghijklmnopqrstuvwxyz0123456789',
  SMTP_URL: sink.url.replace('smtp://', `smtp://ada:${password}@`),
  MAIL_FROM: 'accounts@mail.example.org',
})

/** Name → its records; what is not named does not exist. */
type Zone = Record<string, string[] | { code: string }>
const good: Zone = {
  org: { code: 'ENODATA' },
  'mail.example.org': ['v=spf1 include:_spf.example.net -all', 'unrelated=1'],
  '_domainkey.mail.example.org': { code: 'ENODATA' },
  's1._domainkey.mail.example.org': ['v=DKIM1; k=rsa; p=MIIB'],
  '_dmarc.example.org': ['v=DMARC1; p=reject'],
}

function inZone(zone: Zone, dkimSelector?: string) {
  const resolveTxt = async (name: string) => {
    const found = zone[name] ?? { code: 'ENOTFOUND' }
    if (!Array.isArray(found)) throw Object.assign(new Error(name), found)
    // Long records come in pieces.
    return found.map((text) => [text.slice(0, 5), text.slice(5)])
  }
  return look({ ...patientOf(config, undefined, { resolveTxt }), dkimSelector }, 'mail.domain')
}
const without = (name: string): Zone => {
  const { [name]: _, ...rest } = good
  return rest
}

test('a domain that is in order is left alone', async () => {
  const findings = await inZone(good)
  expect(findings.map(({ check, state }) => `${check} ${state}`)).toEqual([
    'mail.spf ok',
    'mail.dkim ok',
    'mail.dmarc ok',
  ])
})

describe('each mistake in DNS is named with its record', () => {
  const nodata = { code: 'ENODATA' }
  test.each<[what: string, zone: Zone, check: string, state: string, fix: RegExp]>([
    [
      'no SPF',
      { ...good, 'mail.example.org': nodata },
      'mail.spf',
      'warning',
      /TXT record at mail\.example\.org.*v=spf1/,
    ],
    [
      'two SPF records',
      { ...good, 'mail.example.org': ['v=spf1 -all', 'v=spf1 a -all'] },
      'mail.spf',
      'broken',
      /one TXT record/,
    ],
    [
      'SPF for everybody',
      { ...good, 'mail.example.org': ['v=spf1 +all'] },
      'mail.spf',
      'warning',
      /-all/,
    ],
    ['no such domain', without('mail.example.org'), 'mail.spf', 'broken', /MAIL_FROM/],
    [
      'no DMARC',
      without('_dmarc.example.org'),
      'mail.dmarc',
      'warning',
      /_dmarc\.mail\.example\.org: "v=DMARC1/,
    ],
    [
      'two DMARC records',
      { ...good, '_dmarc.example.org': ['v=DMARC1; p=none', 'v=DMARC1; p=reject'] },
      'mail.dmarc',
      'broken',
      /keep one/,
    ],
    [
      'DMARC without a policy',
      { ...good, '_dmarc.example.org': ['v=DMARC1; rua=mailto:a@b.c'] },
      'mail.dmarc',
      'broken',
      /p=quarantine/,
    ],
    [
      'no DKIM at all',
      {
        ...without('s1._domainkey.mail.example.org'),
        '_domainkey.mail.example.org': { code: 'ENOTFOUND' },
      },
      'mail.dkim',
      'warning',
      /--dkim-selector/,
    ],
    [
      'a DKIM key that was revoked',
      {
        ...good,
        's1._domainkey.mail.example.org': ['v=DKIM1; p='],
        '_domainkey.mail.example.org': { code: 'ENOTFOUND' },
      },
      'mail.dkim',
      'warning',
      /publish its key/,
    ],
  ])('%s', async (_, zone, check, state, fix) => {
    const [finding, ...more] = complaints(await inZone(zone))
    expect(more).toEqual([])
    expect(finding).toMatchObject({ check, state, fix: expect.stringMatching(fix) })
  })

  test('the selector that was named has no key', async () => {
    const [finding] = complaints(await inZone(good, 'mail2026'))
    expect(finding).toMatchObject({
      check: 'mail.dkim',
      fix: expect.stringContaining('mail2026._domainkey.mail.example.org'),
    })
  })

  test('keys under a name that nobody can guess are no mistake', async () => {
    const findings = await inZone(without('s1._domainkey.mail.example.org'))
    expect(findings.find(({ check }) => check === 'mail.dkim')?.state).toBe('skipped')
  })

  test('DNS that is silent, or knows nothing of the internet, is judged by nobody', async () => {
    const silent = { code: 'ETIMEOUT' }
    const zone = Object.fromEntries(Object.keys(good).map((name) => [name, silent]))
    expect(complaints(await inZone({ ...zone, org: silent }))).toEqual([])
    expect(complaints(await inZone({}))).toEqual([])
  })
})

describe('the mail server', () => {
  beforeEach(() => {
    sink.replies = { EHLO: '250-sink\r\n250 AUTH PLAIN', AUTH: '235 in' }
  })
  const ask = () => look(patientOf(config, undefined), 'mail.sign-in')

  test('lets us in, and nothing is sent', async () => {
    expect(complaints(await ask())).toEqual([])
    expect(sink.deliveries).toEqual([])
  })

  test('a sign-in that is refused is named, without the password', async () => {
    sink.replies.AUTH = `535 no: ${decodeURIComponent(password)}`
    const [finding] = await ask()
    expect(finding).toMatchObject({
      check: 'mail.sign-in',
      state: 'broken',
      fix: expect.stringContaining('name and password of SMTP_URL'),
    })
    expect(finding?.seen).toContain('SMTP 535')
    expect(JSON.stringify(finding)).not.toContain('sswort')
  })

  test('one that is not there is named', async () => {
    const nobody = { ...config, smtpUrl: 'smtp://127.0.0.1:9' }
    const [finding] = await look(patientOf(nobody, undefined), 'mail.sign-in')
    expect(finding).toMatchObject({ state: 'broken', fix: expect.stringContaining('firewall') })
  })
})
