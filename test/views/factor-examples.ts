/** The pages of second factors, as examples.ts. */
import type { Example } from './examples.ts'

const languageLinks = [
  { locale: 'en', label: 'English', href: '/sign-in/f1?ui_locales=en', current: true },
  { locale: 'zh-CN', label: '简体中文', href: '/sign-in/f1?ui_locales=zh-CN', current: false },
] as const
const app = { name: 'Cloudreve', host: 'cloud.letuslearn.now' }
const form = { action: '/sign-in/f1/code', csrf: 'csrf-value', languageLinks }
const username = 'mei_chen'
const switchHref = '/sign-in/f1'
const qr = { size: 9, path: 'M1 1h3v3h-3zM5 1h3v3h-3zM1 5h3v3h-3zM6 6h1v1h-1z' }
const common = { ...form, app, username, switchHref, rememberDays: 30 }
const others = [
  { factor: 'recovery-code', href: '/sign-in/f1/recovery-code' },
  { factor: 'mail-code', href: '/sign-in/f1/mail-code' },
  { factor: 'passkey', href: '/sign-in/f1/passkey' },
] as const
const since = new Date('2026-10-04T09:00:00Z')
const setUp = {
  ...form,
  username,
  qr,
  ticket: 'ticket',
  secret: 'JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP',
}
const codes = Array.from({ length: 10 }, (_, index) => `7Q4X-0ZK9-W3MN-8R5${index}`)

export const factorExamples: Example[] = [
  { page: 'second-factor', state: 'totp', data: { ...common, factor: 'totp', others } },
  {
    page: 'second-factor',
    state: 'totp-refused',
    data: { ...common, factor: 'totp', others: [], error: { code: 'second_code_wrong' } },
  },
  {
    page: 'second-factor',
    state: 'recovery',
    data: {
      ...common,
      factor: 'recovery-code',
      rememberDays: 0,
      others: [{ factor: 'totp', href: '/sign-in/f1/code' }],
      error: { code: 'recovery_code_wrong' },
    },
  },
  {
    page: 'second-factor',
    state: 'mail',
    data: { ...common, factor: 'mail-code', maskedEmail: 'm•••@example.com', others: [] },
  },
  {
    page: 'second-factor',
    state: 'mail-sent',
    data: {
      ...common,
      factor: 'mail-code',
      maskedEmail: 'm•••@example.com',
      resent: true,
      waitSeconds: 60,
      others: [],
    },
  },
  { page: 'authenticator', state: 'needed', data: { ...setUp, app } },
  {
    page: 'authenticator',
    state: 'own-refused',
    data: {
      ...setUp,
      name: 'Phone',
      cancelHref: '/account/security',
      error: { code: 'set_up_code_wrong' },
    },
  },
  {
    page: 'account-authenticators',
    state: 'none',
    data: { ...form, authenticators: [], codes: { left: 0, made: undefined }, newHref: '/a' },
  },
  {
    page: 'account-authenticators',
    state: 'some',
    data: {
      ...form,
      authenticators: [
        { id: 'a1', name: 'Phone', createdAt: since, lastUsedAt: since },
        { id: 'a2', name: '平板', createdAt: since, lastUsedAt: null },
      ],
      codes: { left: 9, made: since },
      newHref: '/account/authenticators/new',
    },
  },
  { page: 'recovery-codes', state: 'new', data: { languageLinks, codes, onHref: '/account' } },
]
