/** What people are told by mail when something about how they sign in has changed: each in words, in both languages. */
import { expect, test } from 'vitest'
import { tell } from '../../src/accounts/notices.ts'
import { createFactorMailers, tellOfFactor } from '../../src/credentials/factor-mails.ts'
import { enqueue } from '../../src/jobs/tasks.ts'
import type { Mail } from '../../src/mail/transport.ts'
import { createViews } from '../../src/views.ts'
import { mailTo } from '../support/account.ts'
import { createPerson } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const { db } = server.database
const views = createViews({ brandName: 'Test', issuer: server.origin })
const english = await createPerson(server, { username: 'grace', locale: 'en' })
const chinese = await createPerson(server, { username: 'meichen', locale: 'zh-CN' })
const origin = { address: '203.0.113.9', userAgent: 'Mozilla/5.0 (X11; Linux) Firefox/140.0' }

const factors = [
  ['added', 'totp', /authenticator app was added to grace/, /meichen.*验证器|验证器.*meichen/],
  ['removed', 'totp', /authenticator app was removed from grace/, /meichen/],
  ['used', 'recovery-code', /recovery code of grace was used.*no longer works/, /恢复码/],
  ['removed', 'all', /Every second step and passkey of grace .* was removed/, /meichen/],
] as const

test.each(factors)('a factor is %s: %s', async (what, factor, inEnglish, inChinese) => {
  await tellOfFactor(db, { accountId: english.id, what, factor })
  await tellOfFactor(db, { accountId: chinese.id, what, factor })
  await mailTo(server, english.email, inEnglish)
  expect(await mailTo(server, english.email, inEnglish)).toContain('Wasn’t this you?')
  const mail = await mailTo(server, chinese.email, inChinese)
  expect(mail).toContain('/account/authenticators')
})

test.each([
  ['added', /The passkey Office key was added to your account grace/, /Office key/],
  ['removed', /The passkey Office key was removed from your account grace/, /不再|删除|移除/],
] as const)('a passkey is %s, by its name', async (what, inEnglish, inChinese) => {
  const change = { what, factor: 'passkey', name: 'Office key' } as const
  await tellOfFactor(db, { accountId: english.id, ...change })
  await tellOfFactor(db, { accountId: chinese.id, ...change })
  expect(await mailTo(server, english.email, inEnglish)).toContain('/account/passkeys')
  expect(await mailTo(server, chinese.email, inChinese)).toContain('/account/passkeys')
})

const notices = [
  ['new_device', 'with a browser that we had not seen'],
  ['password_changed', 'The password of your account grace'],
  ['password_set', 'which had none'],
  ['password_reset', 'has set a new password for your account grace'],
  ['address_changed', 'has this address from now on'],
] as const

test.each(notices)('%s tells when, with what and from where', async (kind, words) => {
  await tell(db, { accountId: english.id, kind }, origin)
  await tell(db, { accountId: chinese.id, kind }, origin)
  const values = { username: chinese.username, brand: server.config.brandName }
  const inChinese = views.t('zh-CN', `mail.notice.${kind}.intro`, values)
  for (const mail of [
    await mailTo(server, english.email, plain(words)),
    await mailTo(server, chinese.email, plain(inChinese)),
  ]) {
    expect(mail).toContain('203.0.113.9')
    expect(mail).toContain('Firefox')
    expect(mail).not.toMatch(/undefined|\{\{/)
  }
})

const plain = (text: string) => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))

test('what the release before has queued about passkeys is still sent', async () => {
  const person = await createPerson(server)
  const old = { accountId: person.id, passkeyId: 'p', change: 'added', name: 'Old key' } as const
  await enqueue(db, 'mail.passkey', old)
  await mailTo(server, person.email, /The passkey Old key was added/)
})

test('a mail that is sent again is the same mail; one too many is held back', async () => {
  const sent: Mail[] = []
  let allowed = true
  const { 'mail.factor': mailFactor } = createFactorMailers({
    db,
    views,
    mailer: { send: async (mail) => void sent.push(mail) },
    allowMail: async () => allowed,
  })
  const notice = { id: 'n', accountId: english.id, what: 'added', factor: 'totp' } as const
  await mailFactor(notice)
  await mailFactor(notice)
  expect(sent[0]?.id).toBe(sent[1]?.id)
  allowed = false
  await mailFactor({ ...notice, id: 'm' })
  expect(sent).toHaveLength(2)
})
