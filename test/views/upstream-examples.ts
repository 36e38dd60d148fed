/** The pages of upstream sign-in in every state, as in examples.ts. */
import type { Example } from './examples.ts'

const languageLinks = [
  { locale: 'en', label: 'English', href: '/sign-in/f1?ui_locales=en', current: true },
  { locale: 'zh-CN', label: '简体中文', href: '/sign-in/f1?ui_locales=zh-CN', current: false },
] as const
const app = { name: 'Cloudreve', host: 'cloud.letuslearn.now' }
const form = { action: '/sign-in/f1', csrf: 'csrf-value', languageLinks }
const providers = [
  { id: 'google', name: 'Google' },
  { id: 'apple', name: 'Apple' },
  { id: 'library', name: 'The Regional Library Loans and Reservations Service' },
  { id: 'school', name: '第一中学统一身份认证' },
]
const upstream = { action: '/sign-in/f1/with', providers }
const registerHref = '/sign-in/f1/register'
const welcome = {
  ...form,
  app,
  action: '/sign-in/f1/new-here',
  provider: 'Google',
  label: 'mei.chen.of.the.reading.room@very-long-name.library.example.org',
  email: 'mei.chen.of.the.reading.room@very-long-name.library.example.org',
  typed: { username: 'mei-chen', name: '陈美' },
  linkHref: '/sign-in/f1',
  registerHref,
}
const taken = {
  code: 'invalid_request',
  fields: [{ field: 'username', code: 'username_taken' }],
}
const both = {
  code: 'invalid_request',
  fields: [
    { field: 'username', code: 'username_required' },
    { field: 'name', code: 'name_too_long' },
  ],
}
const link = { ...form, app, username: 'mei_chen', provider: 'Google', label: 'mei@example.com' }
const day = (text: string) => new Date(text)
const identity = {
  id: 'a1',
  provider: 'Google',
  label: 'mei@example.com',
  enabled: true,
  createdAt: day('2026-01-20'),
  lastUsedAt: day('2026-11-03'),
}
const own = { ...form, action: '/account/providers', providers: providers.slice(0, 2) }
const values = { provider: 'Google' }

export const upstreamExamples: Example[] = [
  { page: 'sign-in', state: 'upstream', data: { ...form, app, registerHref, upstream } },
  {
    page: 'sign-in',
    state: 'upstream away',
    data: { ...form, upstream, error: { code: 'upstream_unreachable', values } },
  },
  { page: 'sign-in', state: 'linking', data: { ...form, upstream, linking: 'Google' } },
  {
    page: 'register',
    state: 'upstream',
    data: { ...form, passwordMinLength: 8, signInHref: '/sign-in/f1', upstream },
  },
  {
    page: 'register',
    state: 'proven',
    data: {
      ...form,
      passwordMinLength: 8,
      signInHref: '/sign-in/f1',
      typed: { username: 'mei-chen', email: 'mei@example.com', name: '' },
      proven: { provider: 'Google', label: 'mei@example.com' },
    },
  },
  { page: 'new-here', state: 'create', data: { ...welcome, welcome: 'create' } },
  { page: 'new-here', state: 'taken', data: { ...welcome, welcome: 'create', error: taken } },
  { page: 'new-here', state: 'two wrong', data: { ...welcome, welcome: 'create', error: both } },
  { page: 'new-here', state: 'prove', data: { ...welcome, welcome: 'prove' } },
  { page: 'new-here', state: 'link', data: { ...welcome, welcome: 'link' } },
  { page: 'new-here', state: 'closed', data: { ...welcome, welcome: 'closed' } },
  { page: 'link-provider', state: 'asked', data: link },
  {
    page: 'link-provider',
    state: 'taken',
    data: { ...link, error: { code: 'identity_taken', values } },
  },
  { page: 'account-providers', state: 'none', data: { ...own, identities: [] } },
  {
    page: 'account-providers',
    state: 'some',
    data: {
      ...own,
      notice: 'provider-linked',
      identities: [identity, { ...identity, id: 'b2', provider: '第一中学', enabled: false }],
    },
  },
  {
    page: 'account-providers',
    state: 'last',
    data: { ...own, identities: [identity], error: { code: 'last_way_in' } },
  },
  {
    page: 'signed-out',
    state: 'upstream',
    data: {
      languageLinks,
      csrf: 'csrf-value',
      apps: [],
      signInHref: '/sign-in',
      upstream: { name: 'Google', action: '/signed-out/upstream' },
    },
  },
]
