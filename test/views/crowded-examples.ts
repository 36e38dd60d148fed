/** Pages with much on them, as in examples.ts: long names and addresses, and lists of twenty. */
import type { Example } from './examples.ts'

const languageLinks = [
  { locale: 'en', label: 'English', href: '/sign-in/f1?ui_locales=en', current: true },
  { locale: 'zh-CN', label: '简体中文', href: '/sign-in/f1?ui_locales=zh-CN', current: false },
] as const
const app = { name: 'Cloudreve', host: 'cloud.letuslearn.now' }
const form = { action: '/sign-in/f1', csrf: 'csrf-value', languageLinks }
const providers = [
  'Google',
  'Apple',
  'Microsoft',
  'GitHub',
  '第一中学统一身份认证',
  'The Regional Library Loans and Reservations Service',
  'Okta',
].map((name, index) => ({ id: `p${index}`, name }))
const longUsername = 'a_username_of_thirty_two_letters'
const longEmail = 'somebody.with.an.uncommonly.long.address@mail.department.university.example'
const date = new Date('2026-03-01T12:00:00Z')
const twenty = Array.from({ length: 20 }, (_, index) => index)

export const crowdedExamples: Example[] = [
  {
    page: 'sign-in',
    state: 'seven providers',
    data: {
      ...form,
      app,
      registerHref: '/sign-in/f1/register',
      forgotHref: '/sign-in/f1/reset-password',
      passkeyAction: '/sign-in/f1/with-passkey',
      upstream: { action: '/sign-in/f1/with', providers },
    },
  },
  {
    page: 'account',
    state: 'long',
    data: {
      ...form,
      username: longUsername,
      name: '阿布都热合曼·阿卜杜拉·买买提·艾山江·吐尔逊',
      email: longEmail,
      emailVerified: true,
    },
  },
  {
    page: 'account-security',
    state: 'all',
    data: {
      ...form,
      action: '/account/security',
      items: [
        { kind: 'password', href: '/account/password', date },
        { kind: 'address', href: '/account/address', value: longEmail },
        { kind: 'passkeys', href: '/account/passkeys', date },
        { kind: 'authenticators', href: '/account/authenticators' },
        { kind: 'providers', href: '/account/providers' },
      ],
    },
  },
  {
    page: 'account-providers',
    state: 'seven',
    data: {
      ...form,
      action: '/account/providers',
      providers,
      identities: providers.map(({ id, name }) => ({
        id,
        provider: name,
        label: longEmail,
        enabled: true,
        createdAt: date,
        lastUsedAt: date,
      })),
    },
  },
  {
    page: 'account-passkeys',
    state: 'twenty',
    data: {
      ...form,
      action: '/account/passkeys',
      optionsAction: '/account/passkeys/options',
      passkeys: twenty.map((index) => ({
        id: `k${index}`,
        name: index % 3 ? `安全密钥 ${index}` : longUsername,
        backedUp: index % 2 === 0,
        createdAt: date,
        lastUsedAt: index % 4 ? date : null,
      })),
      error: { code: 'passkey_too_many' },
    },
  },
  {
    page: 'account-devices',
    state: 'twenty',
    data: {
      ...form,
      action: '/account/devices',
      devices: twenty.map((index) => ({
        id: `d${index}`,
        browser: 'Firefox',
        system: 'Linux',
        current: index === 0,
        signedInAt: date,
        seenAt: date,
        near: index % 2 === 0,
        network: '2001:db8:85a3::/48',
        apps: index % 5 ? [] : ['Cloudreve', '云端图书馆', 'Nextcloud'],
      })),
      remembered: [],
    },
  },
]
