import { expect, test } from 'vitest'
import { locales } from '../../src/views/phrases.ts'
import { createViews } from '../../src/views.ts'

const issuer = 'https://id.letuslearn.now'
const views = createViews({ brandName: 'letuslearn', issuer })
const linksOf = (text: string) => text.match(/https?:\/\/[^\s"<]+/g) ?? []

const data = { username: 'mei_chen', code: '482913', path: '/verify?token=abc', minutes: 10 }

test.each(locales)(
  'a verification mail holds code and link in both forms, and the code in the subject (%s)',
  (locale) => {
    const { subject, text, html } = views.mail('verify-email', data, locale)
    expect(subject).toContain('482913')
    expect(subject).not.toContain('abc')
    expect(text.match(/(?<!\d)\d{6}(?!\d)/g)).toEqual(['482913'])
    expect(text).toContain(`\n${issuer}/verify?token=abc\n`)
    expect(html).toContain('>482913<')
    expect(html).toContain(`href="${issuer}/verify?token=abc"`)
    expect(`${subject}${text}${html}`).not.toMatch(/\{\{|undefined/)
  },
)

test.each(locales)(
  'a second registration tells the owner that somebody tried, and where to sign in (%s)',
  (locale) => {
    const mail = views.mail(
      'already-registered',
      { username: 'mei_chen', path: '/sign-in' },
      locale,
    )
    expect(mail.text).toContain('mei_chen')
    expect(mail.text).toContain(`\n${issuer}/sign-in\n`)
    expect(mail.text).not.toMatch(/\d{6}/)
  },
)

test.each(locales)(
  'a question names the app and its words, and leads to our page alone (%s)',
  (locale) => {
    const question = {
      username: 'mei_chen',
      app: 'Till www.evil.example',
      message: 'https://evil.example/a',
      minutes: 9,
    }
    const mail = views.mail('question', { ...question, path: '/account/requests' }, locale)
    expect(mail.subject).toContain('Till')
    expect(mail.text).toContain(`\n${issuer}/account/requests\n`)
    expect(mail.text).toContain('9')
    for (const body of [mail.text, mail.html]) {
      expect(body).not.toMatch(/evil\.example|undefined|\{\{/)
      expect(linksOf(body).filter((link) => !link.startsWith(issuer) && link !== 'https:')).toEqual(
        [],
      )
    }
    const plain = views.mail(
      'question',
      { ...question, message: undefined, path: '/account/requests' },
      locale,
    )
    expect(plain.text).not.toMatch(/undefined|\n\n\n/)
  },
)

test('the code is the first number in the text, whatever the username', () => {
  const { text } = views.mail('verify-email', { ...data, username: 'mei1764000000' }, 'en')
  expect(text.match(/\d{6}/)?.[0]).toBe('482913')
})

test('mails never link to another host', () => {
  expect(() =>
    views.mail('already-registered', { username: 'm', path: '@evil.example' }, 'en'),
  ).toThrow()
})

test('a name is one neutral line in a mail, and never a link (AC-05, IN-10)', () => {
  const username = 'mei\r\nBcc: all@example.com <b>x</b> https://evil.example/a www.evil.example'
  const data = { username, code: '482913', path: '/verify?token=abc', minutes: 10 }
  const mail = views.mail('verify-email', data, 'en')
  expect(mail.subject).not.toMatch(/[\r\n]/)
  expect(mail.text).not.toMatch(/^Bcc:/m)
  expect(mail.html).not.toContain('<b>x</b>')
  for (const body of [mail.text, mail.html]) {
    expect(body).not.toMatch(/all@example\.com|evil\.example/)
    expect(linksOf(body).every((link) => link.startsWith(issuer))).toBe(true)
  }
})
