/** The pages of a person's own account in every state, as in examples.ts. */
import type { Example } from './examples.ts'

const languageLinks = [
  { locale: 'en', label: 'English', href: '/account?ui_locales=en', current: true },
  { locale: 'zh-CN', label: '简体中文', href: '/account?ui_locales=zh-CN', current: false },
] as const
const form = { csrf: 'csrf-value', languageLinks }

export const own: Example[] = [
  {
    page: 'account-apps',
    state: 'some',
    data: {
      ...form,
      action: '/account/apps',
      apps: [
        { id: 'cloud-1', name: 'Cloudreve', since: new Date('2026-03-01T12:00:00Z') },
        { id: 'long-2', name: `${'Ein sehr langer Name '.repeat(4)}云盘`, since: new Date(0) },
      ],
      disconnected: 'Wiki',
    },
  },
  { page: 'account-apps', state: 'none', data: { ...form, action: '/account/apps', apps: [] } },
  {
    page: 'account-security',
    state: 'fresh',
    data: { ...form, action: '/account/security', items: [] },
  },
  {
    page: 'account-security',
    state: 'some',
    data: {
      ...form,
      action: '/account/security',
      items: [{ kind: 'password', date: new Date('2026-03-01T12:00:00Z') }],
    },
  },
]
