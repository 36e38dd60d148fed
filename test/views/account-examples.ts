/** The pages of a person's own account in every state, as in examples.ts. */
import type { Example } from './examples.ts'

const languageLinks = [
  { locale: 'en', label: 'English', href: '/account?ui_locales=en', current: true },
  { locale: 'zh-CN', label: '简体中文', href: '/account?ui_locales=zh-CN', current: false },
] as const
const form = { csrf: 'csrf-value', languageLinks }

const day = (text: string) => new Date(text)
const passkeys = [
  {
    id: 'a1',
    name: 'iCloud Keychain',
    backedUp: true,
    createdAt: day('2026-01-20'),
    lastUsedAt: day('2026-11-03'),
  },
  { id: 'b2', name: '', backedUp: false, createdAt: day('2026-10-02'), lastUsedAt: null },
  {
    id: 'c3',
    name: 'The key on the ring of the door of the library reading room',
    backedUp: false,
    createdAt: day('2026-10-02'),
    lastUsedAt: day('2026-11-03'),
  },
]
const reset = { ...form, signInHref: '/sign-in', passwordMinLength: 8, action: '/reset-password' }
const resetDone = { languageLinks, signInHref: '/sign-in', securityHref: '/sign-in?to=security' }
const code = { ...reset, state: 'code', maskedEmail: 'm•••@example.com' } as const
const profile = {
  ...form,
  action: '/account/profile',
  username: 'mei_chen',
  locales: ['en', 'zh-CN'],
  timeZones: ['UTC', 'Asia/Shanghai'],
}
const address = { ...form, action: '/account/address', current: 'mei@example.com' }
const changed = { ...form, action: '/confirm-address?token=abc' }
const past = new Date('2026-03-01T12:00:00Z')
const device = { current: false, signedInAt: past, seenAt: past, near: true, apps: [] }
const event = { at: past, app: null, address: '203.0.113.7', device: 'Firefox, Linux' }
const leaving = { ...form, action: '/account/delete', username: 'mei_chen', days: 7 }
const taken = {
  code: 'password_common',
  fields: [{ field: 'new_password', code: 'password_common' }],
}

const held = {
  since: past,
  lastUsed: past,
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  apis: ['Notes'],
}

export const own: Example[] = [
  { page: 'reset-password', state: 'email', data: { ...reset, state: 'email' } },
  {
    page: 'reset-password',
    state: 'email refused',
    data: {
      ...reset,
      state: 'email',
      email: 'mei@example',
      error: { code: 'email_invalid', fields: [{ field: 'email', code: 'email_invalid' }] },
    },
  },
  { page: 'reset-password', state: 'code', data: { ...code, waitSeconds: 40, proof: 'open' } },
  {
    page: 'reset-password',
    state: 'code refused',
    data: { ...code, waitSeconds: 0, error: { code: 'code_wrong', values: { count: 4 } } },
  },
  { page: 'reset-password', state: 'over', data: { ...code, waitSeconds: 0, proof: 'too-many' } },
  { page: 'reset-password', state: 'password', data: { ...reset, state: 'password' } },
  {
    page: 'reset-password',
    state: 'password refused',
    data: { ...reset, state: 'password', error: taken },
  },
  { page: 'reset-done', state: 'done', data: { ...resetDone, others: [] } },
  {
    page: 'reset-done',
    state: 'other ways in',
    data: {
      ...resetDone,
      others: [
        { kind: 'passkey', name: 'Phone <b>' },
        { kind: 'provider', name: 'Google' },
      ],
    },
  },
  {
    page: 'account-profile',
    state: 'filled',
    data: {
      ...profile,
      pictureHref: '/pictures/AAAAAAAAAAAAAAAAAAAAAA.webp',
      typed: {
        name: '陈梅',
        given_name: '梅',
        family_name: '陈',
        locale: 'zh-CN',
        zoneinfo: 'UTC',
      },
    },
  },
  {
    page: 'account-profile',
    state: 'refused',
    data: {
      ...profile,
      typed: { phone_number: '12' },
      error: {
        code: 'invalid_request',
        fields: [
          { field: 'given_name', code: 'name_required' },
          { field: 'phone_number', code: 'phone_invalid' },
        ],
      },
    },
  },
  {
    page: 'account-devices',
    state: 'some',
    data: {
      ...form,
      action: '/account/devices',
      devices: [
        { ...device, id: 'u1', browser: 'Firefox', system: 'Linux', current: true },
        { ...device, id: 'u2', browser: 'Safari', system: 'iPhone', apps: ['Cloudreve', '云盘'] },
        { ...device, id: 'u3', near: false, network: '203.0.113.0/24' },
      ],
      remembered: [
        {
          id: 'r1',
          browser: 'Firefox',
          system: 'Linux',
          createdAt: device.seenAt,
          expiresAt: device.seenAt,
        },
        { id: 'r2', createdAt: device.seenAt, expiresAt: device.seenAt },
      ],
    },
  },
  {
    page: 'account-activity',
    state: 'some',
    data: {
      ...form,
      action: '/account/activity',
      events: [
        { ...event, word: 'signed-in', app: 'Cloudreve' },
        { ...event, word: 'password', device: '', address: null },
      ],
      olderHref: '/account/activity?before=1',
      newestHref: '/account/activity',
    },
  },
  {
    page: 'account-activity',
    state: 'none',
    data: { ...form, action: '/account/activity', events: [] },
  },
  {
    page: 'account-data',
    state: 'fresh',
    data: { ...form, action: '/account/data', deleteHref: '/account/delete', days: 7 },
  },
  { page: 'account-delete', state: 'fresh', data: leaving },
  { page: 'account-delete', state: 'last', data: { ...leaving, error: { code: 'last_admin' } } },
  {
    page: 'account-delete',
    state: 'refused',
    data: {
      ...leaving,
      error: { code: 'username_other', fields: [{ field: 'username', code: 'username_other' }] },
    },
  },
  { page: 'account-left', state: 'left', data: { languageLinks, days: 7, signInHref: '/sign-in' } },
  { page: 'account-address', state: 'fresh', data: { ...address } },
  {
    page: 'account-address',
    state: 'refused',
    data: {
      ...address,
      email: 'mei@example.com',
      error: { code: 'email_same', fields: [{ field: 'email', code: 'email_same' }] },
    },
  },
  {
    page: 'account-address',
    state: 'code',
    data: { ...address, maskedEmail: 'm•••@example.net', waitSeconds: 40, proof: 'open' },
  },
  {
    page: 'account-address',
    state: 'over',
    data: { ...address, maskedEmail: 'm•••@example.net', waitSeconds: 0, proof: 'too-many' },
  },
  ...(['confirm', 'undo'] as const).flatMap((page): Example[] => [
    {
      page: 'address-link',
      state: `${page} ready`,
      data: { ...changed, page, state: 'ready', maskedEmail: 'm•••@example.net' },
    },
    { page: 'address-link', state: `${page} done`, data: { ...changed, page, state: 'done' } },
    {
      page: 'address-link',
      state: `${page} over`,
      data: { ...changed, page, state: 'over', error: { code: 'email_taken' } },
    },
  ]),
  {
    page: 'account-password',
    state: 'fresh',
    data: { ...form, action: '/account/password', username: 'mei_chen', passwordMinLength: 8 },
  },
  {
    page: 'account-password',
    state: 'first',
    data: {
      ...form,
      action: '/account/password',
      username: 'mei_chen',
      passwordMinLength: 8,
      first: true,
    },
  },
  {
    page: 'account-password',
    state: 'refused',
    data: {
      ...form,
      action: '/account/password',
      username: 'mei_chen',
      passwordMinLength: 8,
      error: taken,
    },
  },
  {
    page: 'account-apps',
    state: 'some',
    data: {
      ...form,
      action: '/account/apps',
      apps: [
        { id: 'cloud-1', name: 'Cloudreve', ...held },
        {
          id: 'long-2',
          name: `${'Ein sehr langer Name '.repeat(4)}云盘`,
          ...held,
          scopes: ['openid'],
          apis: [],
        },
      ],
      disconnected: 'Wiki',
    },
  },
  { page: 'account-apps', state: 'none', data: { ...form, action: '/account/apps', apps: [] } },
  {
    page: 'account-passkeys',
    state: 'none',
    data: {
      ...form,
      action: '/account/passkeys',
      optionsAction: '/account/passkeys/options',
      passkeys: [],
    },
  },
  {
    page: 'account-passkeys',
    state: 'several',
    data: {
      ...form,
      action: '/account/passkeys',
      optionsAction: '/account/passkeys/options',
      passkeys,
      current: {
        rpId: 'id.letuslearn.now',
        userId: 'AAAA',
        allAcceptedCredentialIds: ['AAAA'],
        name: 'mei_chen',
        displayName: '陈梅',
      },
      notice: 'passkey-added',
    },
  },
  {
    page: 'account-passkeys',
    state: 'renaming',
    data: {
      ...form,
      action: '/account/passkeys',
      passkeys,
      renaming: 'b2',
      error: { code: 'name_invalid' },
    },
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
