import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { createMailer } from '../../src/mail/transport.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'idp-mailbox-'))
afterAll(() => rm(dataDir, { recursive: true }))

const mailer = createMailer({ mailFrom: 'id@op.test', brandName: 'Test', dataDir })
const mail = (subject: string) => ({ to: 'a@example.org', subject, text: '123456', html: '<b>' })
const directory = join(dataDir, 'mailbox')

test('before the first mail the mailbox is empty', async () => {
  expect(await listMailbox(dataDir)).toEqual([])
})

test('mails are listed newest first, in the shape of the contract', async () => {
  await mailer.verify()
  await mailer.send(mail('first'))
  await new Promise((resolve) => setTimeout(resolve, 2))
  await mailer.send(mail('second'))
  const mails = await listMailbox(dataDir)
  expect(mails.map(({ subject }) => subject)).toEqual(['second', 'first'])
  expect(mails[0]).toEqual({
    id: expect.any(String),
    to: 'a@example.org',
    subject: 'second',
    text: '123456',
    html: '<b>',
    sentAt: expect.stringMatching(/^\d{4}-.*Z$/),
  })
})

test('nobody else on the machine can read them', async () => {
  const files = await readdir(directory)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  expect((await stat(join(directory, files[0] ?? ''))).mode & 0o777).toBe(0o600)
})

test('half-written files are not mails, and the newest 200 are kept', async () => {
  await writeFile(join(directory, '0-unfinished.draft'), '{')
  await Promise.all(Array.from({ length: 230 }, (_, index) => mailer.send(mail(`${index}`))))
  expect(await listMailbox(dataDir)).toHaveLength(200)
  mailer.close()
})

test('recipients are judged here as well (AC-04)', async () => {
  const two = { ...mail('x'), to: 'a@b.com,c@d.com' }
  await expect(mailer.send(two)).rejects.toMatchObject({ code: 'mail_refused' })
})
