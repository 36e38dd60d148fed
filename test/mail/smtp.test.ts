import { beforeEach, describe, expect, test } from 'vitest'
import { createSmtpTransport } from '../../src/mail/smtp.ts'
import { createMailer, type Mail } from '../../src/mail/transport.ts'
import { startSmtpSink } from './smtp-sink.ts'

const sink = await startSmtpSink()
const options = { smtpUrl: sink.url, mailFrom: 'id@op.test', brandName: 'Évil, "Inc" <x@y.z>' }
const mailer = createMailer({ ...options, dataDir: '/nowhere' })

const mail: Mail = {
  to: 'alice@example.org',
  subject: '123456 是你的验证码',
  text: 'Your code\n\n    123456\n',
  html: '<p>123456</p>',
  id: 'registration.1',
}

beforeEach(() => {
  sink.deliveries = []
  sink.replies = {}
  delete sink.trickleMs
})

test('a mail reaches its one recipient, with a plain-text part (IN-10)', async () => {
  await mailer.send(mail)
  const [delivery] = sink.deliveries
  expect(delivery?.from).toMatch(/^MAIL FROM:<id@op\.test>/)
  expect(delivery?.to).toEqual([expect.stringMatching(/^RCPT TO:<alice@example\.org>/)])
  expect(delivery?.data).toMatch(/^To: alice@example\.org\r$/m)
  expect(delivery?.data).toMatch(/^Message-ID: <registration\.1@op\.test>\r$/m)
  expect(delivery?.data).toMatch(/^Auto-Submitted: auto-generated\r$/m)
  expect(delivery?.data).toMatch(/^Content-Type: text\/plain/m)
  expect(delivery?.data).toMatch(/^Content-Type: text\/html/m)
  // The brand may hold anything; the sender stays one address.
  expect(delivery?.data.match(/^From: .*/m)?.[0]).toMatch(/<id@op\.test>\r?$/)
  await mailer.verify()
})

test.each([
  'a@b.com,mallory@evil.com',
  'a@b.com;mallory@evil.com',
  'a@b.com\r\nBcc: mallory@evil.com',
  'Alice <a@b.com>',
  '"a@evil.com"@b.com',
  'a@b.com\0',
  'a@[127.0.0.1]',
  `${'a'.repeat(250)}@b.com`,
  '',
])('%j is not one recipient, and nothing is sent (AC-04)', async (to) => {
  await expect(mailer.send({ ...mail, to })).rejects.toMatchObject({ code: 'mail_refused' })
  expect(sink.deliveries).toEqual([])
})

test('a subject of two lines is a mistake of ours, not a header (AC-05)', async () => {
  const subject = 'Hello\r\nBcc: mallory@evil.com'
  await expect(mailer.send({ ...mail, subject })).rejects.toThrow(/one line/)
  await expect(mailer.send({ ...mail, text: ' ' })).rejects.toThrow(/text part/)
})

describe('when the server will not have it (RL-18)', () => {
  test.each([
    ['RCPT', '550 no such user', 'mail_refused', 'SMTP 550'],
    ['.', '554 spam', 'mail_refused', 'SMTP 554'],
    ['RCPT', '451 later', 'mail_unavailable', 'SMTP 451'],
    ['.', '452 full', 'mail_unavailable', 'SMTP 452'],
    // Our own mistakes, which an operator mends: the mail must survive them.
    ['MAIL', '550 not this sender', 'mail_unavailable', 'SMTP 550'],
    ['banner', '554 go away', 'mail_unavailable', 'SMTP 554'],
  ])('%s answered by %j is %s', async (verb, answer, code, detail) => {
    const fresh = createSmtpTransport(options)
    sink.replies[verb] = answer
    await expect(fresh.send(mail)).rejects.toMatchObject({ code, detail })
    expect(sink.deliveries).toEqual([])
    sink.replies = {}
    await fresh.send(mail)
    expect(sink.deliveries).toHaveLength(1)
    fresh.close()
  })

  test('nobody listens', async () => {
    const lost = createSmtpTransport({ ...options, smtpUrl: 'smtp://127.0.0.1:9' })
    await expect(lost.send(mail)).rejects.toMatchObject({ code: 'mail_unavailable' })
    await expect(lost.verify()).rejects.toMatchObject({ code: 'mail_unavailable' })
    lost.close()
  })

  test('it hangs after the banner, or trickles for ever', async () => {
    const waits = { connect: 300, silence: 300, whole: 900 }
    const impatient = createSmtpTransport({ ...options, waits })
    sink.replies.EHLO = null
    await expect(impatient.send(mail)).rejects.toMatchObject({ code: 'mail_unavailable' })
    sink.replies = {}
    sink.trickleMs = 200
    const began = Date.now()
    await expect(impatient.send(mail)).rejects.toMatchObject({ code: 'mail_unavailable' })
    expect(Date.now() - began).toBeLessThan(2000)
    impatient.close()
  })
})
