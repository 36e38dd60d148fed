/** `idp mail`: which step of sending fails, what waits, and sending it again. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { enqueue } from '../../src/jobs/tasks.ts'
import { listMailbox } from '../../src/mail/mailbox.ts'
import { startSmtpSink } from '../mail/smtp-sink.ts'
import { createDatabase } from '../support/database.ts'
import { createPerson } from '../support/person.ts'
import { createIdp } from './support.ts'

const database = await createDatabase()
const { db, pool, url } = database
const sink = await startSmtpSink()
const from = 'accounts@example.org'
const idp = createIdp(url, { SUDO_USER: 'night-admin', MAIL_FROM: from, SMTP_URL: sink.url })
const silent = 'smtp://127.0.0.1:1'

test('a mail that leaves is said to have left', async () => {
  const { code, stderr } = await idp(['mail', 'test', 'ada@example.org'])
  expect([code, stderr]).toEqual([0, expect.stringContaining('took it')])
  expect(sink.deliveries.at(-1)?.to[0]).toContain('ada@example.org')
})

test.each([
  ['name', { SMTP_URL: 'smtp://mail.invalid:587' }, {}],
  ['connect', { SMTP_URL: silent }, {}],
  ['connect', {}, { banner: '554 go away' }],
  ['tls', { SMTP_URL: `${sink.url}?requireTLS=true` }, {}],
  [
    'sign-in',
    { SMTP_URL: sink.url.replace('//', '//ada:hunter2@') },
    { EHLO: '250 AUTH PLAIN', AUTH: '535 wrong' },
  ],
  ['sender', {}, { MAIL: '553 not allowed to send as accounts@example.org' }],
  ['recipient', {}, { RCPT: '550 no such user' }],
  ['message', {}, { DATA: '554 looks like spam' }],
])('the step that fails is named, with how to mend it: %s', async (step, env, replies) => {
  sink.replies = replies as Record<string, string>
  try {
    const { code, stdout, stderr } = await idp(['mail', 'test', 'ada@example.org', '--json'], {
      env: env as Record<string, string>,
    })
    expect([code, JSON.parse(stdout).mail.step]).toEqual([1, step])
    expect(JSON.parse(stdout).mail.fix).not.toBe('')
    expect(stderr).not.toContain('hunter2')
    const said = Object.values(replies).at(-1)
    if (said && step !== 'connect') expect(stderr).toContain(String(said).slice(0, 20))
  } finally {
    sink.replies = {}
  }
})

test('without SMTP_URL it lands in the local mailbox; in production that is refused', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'idp-mail-'))
  const local = createIdp(url, { DATA_DIR: dataDir })
  expect((await local(['mail', 'test', 'ada@example.org'])).code).toBe(0)
  expect(await listMailbox(dataDir)).toMatchObject([{ to: 'ada@example.org' }])
  const { code, stderr } = await local(['mail', 'test', 'ada@example.org'], {
    env: { ISSUER: 'https://id.example.org' },
  })
  expect([code, stderr.includes('SMTP_URL')]).toEqual([2, true])
  expect((await local(['mail', 'test', 'a@b@c\u001b[2J'])).stderr).not.toContain('\u001b')
})

test('what waits and what was given up is listed without addresses, and sent again', async () => {
  const ada = await createPerson({ database }, { username: 'ada' })
  const put = async (kind: 'mail.factor' | 'cleanup') => {
    await (kind === 'cleanup'
      ? enqueue(db, kind, {})
      : enqueue(db, kind, {
          id: crypto.randomUUID(),
          accountId: ada.id,
          what: 'added',
          factor: 'totp',
        }))
  }
  await put('mail.factor')
  await put('mail.factor')
  await put('cleanup')
  await pool.query(`update graphile_worker._private_jobs set attempts = max_attempts,
    last_error = E'SMTP 451 for ada@example.org: try later\\n  at stack' where id = (select min(id) from graphile_worker._private_jobs)`)

  const { stdout } = await idp(['mail', 'list', '--json'])
  const { mails } = JSON.parse(stdout)
  expect(mails).toMatchObject([
    {
      kind: 'mail.factor',
      to: 'a•••@example.org',
      state: 'failed',
      next_at: null,
      error: 'SMTP 451 for … try later',
    },
    { kind: 'mail.factor', to: 'a•••@example.org', state: 'waiting' },
  ])
  expect(stdout).not.toContain('ada@')
  const failed = await idp(['mail', 'list', '--failed', '--quiet'])
  expect(failed.stdout.trim()).toBe(mails[0].id)

  expect((await idp(['mail', 'retry'])).code).toBe(2)
  expect((await idp(['mail', 'retry', 'nonsense'])).code).toBe(3)
  expect((await idp(['mail', 'retry', '--all', '--json'])).stdout).toContain('"retried": 1')
  expect((await idp(['mail', 'list', '--failed'])).stderr).toContain('None was given up')
  expect((await idp(['mail', 'retry', mails[1].id])).code).toBe(0)
  const { rows } = await pool.query(
    "select actor_id, detail from audit_events where type = 'mails.retried' order by id",
  )
  expect(rows).toEqual([
    { actor_id: 'night-admin', detail: { mails: 1 } },
    { actor_id: 'night-admin', detail: { mails: 1 } },
  ])
})
