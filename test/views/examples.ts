/**
 * Every page in every state that it can show, with the data of real days: long names, Chinese names,
 * one item, many items. Tests draw them all; a browser can be shown them one by one.
 */
import type { PageData } from '../../src/views/page-data.ts'
import { own } from './account-examples.ts'
import { crowdedExamples } from './crowded-examples.ts'
import { factorExamples } from './factor-examples.ts'
import { upstreamExamples } from './upstream-examples.ts'

export type Example = {
  [N in keyof PageData]: { page: N; state: string; data: PageData[N] }
}[keyof PageData]

const languageLinks = [
  { locale: 'en', label: 'English', href: '/sign-in/f1?ui_locales=en', current: true },
  { locale: 'zh-CN', label: '简体中文', href: '/sign-in/f1?ui_locales=zh-CN', current: false },
] as const
const app = { name: 'Cloudreve', host: 'cloud.letuslearn.now' }
const form = { action: '/sign-in/f1', csrf: 'csrf-value', languageLinks }
const verify = { ...form, maskedEmail: 'm•••@example.com', changeHref: '/sign-in/f1/register' }
const signInHref = '/sign-in'
const registerHref = '/register'
const forgotHref = '/sign-in/f1/reset-password'

const longApp = {
  name: 'The Very Thorough Regional Library Loans, Reservations and Reading-Room Booking System',
  host: 'loans-and-reservations.reading-rooms.regional-library.example.letuslearn.now',
}
const many = Array.from({ length: 40 }, (_, index) => `study-group-${index + 1}`)
const scopes = [
  'files:read',
  'files:write',
  'files:share',
  'albums:read',
  'albums:write',
  'quota:read',
  'trash:empty',
].map((scope) => ({ scope }))

const signIn: Example[] = [
  { page: 'sign-in', state: 'fresh', data: { ...form, app, registerHref, forgotHref } },
  {
    page: 'sign-in',
    state: 'passkey',
    data: {
      ...form,
      app,
      registerHref,
      passkeyAction: '/sign-in/f1/with-passkey',
      error: { code: 'passkey_unknown' },
      unknown: { rpId: 'id.letuslearn.now', credentialId: 'AAAA' },
    },
  },
  {
    page: 'sign-in',
    state: 'unfinished',
    data: { ...form, app, registerHref, forgotHref, notice: 'unfinished' },
  },
  {
    page: 'passkey',
    state: 'refused',
    data: {
      ...form,
      app,
      action: '/sign-in/f1/passkey',
      optionsAction: '/sign-in/f1/passkey/options',
      username: 'mei_chen',
      others: [{ factor: 'totp', href: '/sign-in/f1/code' }],
      switchHref: '/sign-in/f1',
      error: { code: 'passkey_refused' },
    },
  },
  {
    page: 'add-passkey',
    state: 'offered',
    data: {
      ...form,
      app,
      action: '/sign-in/f1/add-passkey',
      optionsAction: '/sign-in/f1/add-passkey/options',
    },
  },
  { page: 'sign-in', state: 'own', data: { ...form, registerHref } },
  {
    page: 'sign-in',
    state: 'refused',
    data: {
      ...form,
      app,
      registerHref,
      forgotHref,
      identifier: 'mei_chen',
      error: { code: 'wrong_credentials' },
    },
  },
  {
    page: 'sign-in',
    state: 'wait',
    data: {
      ...form,
      app,
      identifier: 'mei_chen',
      error: { code: 'too_many_attempts', retryAfterSeconds: 170 },
    },
  },
  {
    page: 'sign-in',
    state: 'notice',
    data: { ...form, app, identifier: 'mei_chen', notice: 'verified' },
  },
  { page: 'home', state: 'open', data: { languageLinks, signInHref, registerHref } },
]

/** Enough squares to be seen; what they say is tested elsewhere. */
const qr = { size: 9, path: 'M1 1h3v3h-3zM5 1h3v3h-3zM1 5h3v3h-3zM6 6h1v1h-1z' }

const device: Example[] = [
  { page: 'device', state: 'fresh', data: { ...form, userCode: '', filled: false } },
  { page: 'device', state: 'filled', data: { ...form, userCode: 'WDJB-MJHT', filled: true, qr } },
  {
    page: 'device',
    state: 'refused',
    data: { ...form, userCode: 'WDJB-MJHX', filled: false, error: { code: 'user_code_wrong' } },
  },
  {
    page: 'device-confirm',
    state: 'signed-in',
    data: {
      ...form,
      app,
      userCode: 'WDJB-MJHT',
      address: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
      program: 'CloudreveTV/4.2',
      username: 'mei_chen',
    },
  },
  {
    page: 'device-confirm',
    state: 'long',
    data: { ...form, app: { ...longApp, unverified: {} }, userCode: 'WDJB-MJHT' },
  },
  { page: 'device-done', state: 'connected', data: { languageLinks, state: 'connected', app } },
  { page: 'device-done', state: 'refused', data: { languageLinks, state: 'refused' } },
  {
    page: 'resume',
    state: 'device',
    data: {
      languageLinks,
      reason: 'expired',
      app,
      continueHref: '/device',
      device: true,
      signInHref,
    },
  },
]

const requests: Example[] = [
  {
    page: 'requests',
    state: 'none',
    data: {
      ...form,
      username: 'mei_chen',
      questions: [],
      outcome: { state: 'allowed', app: 'Till' },
    },
  },
  {
    page: 'requests',
    state: 'one',
    data: {
      ...form,
      username: 'mei_chen',
      questions: [
        {
          id: 'a1',
          app: { name: '图书馆借阅台' },
          message: 'Table 4, 12.50 €',
          secondsLeft: 540,
          items: [{ kind: 'email', email: 'mei@example.com', verified: true }, { kind: 'offline' }],
        },
      ],
    },
  },
  {
    page: 'requests',
    state: 'several',
    data: {
      ...form,
      username: 'mei_chen',
      outcome: { state: 'gone' },
      questions: [
        {
          id: 'b1',
          app: { ...app, unverified: { by: 'cloud.letuslearn.now' } },
          secondsLeft: 61,
          items: [{ kind: 'identifier' }],
        },
        {
          id: 'b2',
          app: longApp,
          message: 'W4SCT-LONGESTWORDWITHOUTANYBREAKINITATALLTHATAPPSMAYSENDUS0000',
          secondsLeft: 7,
          items: [{ kind: 'api', api: 'Loans', scopes }],
        },
      ],
    },
  },
]

const registration: Example[] = [
  {
    page: 'register',
    state: 'fresh',
    data: { ...form, app, passwordMinLength: 8, signInHref, passkeys: true },
  },
  {
    page: 'register',
    state: 'refused',
    data: {
      ...form,
      passwordMinLength: 12,
      signInHref,
      typed: { username: 'root', email: 'mei@example', name: '陈梅' },
      error: {
        code: 'invalid_request',
        fields: [
          { field: 'username', code: 'username_reserved' },
          { field: 'email', code: 'email_invalid' },
          { field: 'password', code: 'password_too_short' },
        ],
      },
    },
  },
  {
    page: 'register',
    state: 'one mistake',
    data: {
      ...form,
      passwordMinLength: 8,
      signInHref,
      typed: { username: 'Mei Chen', email: 'mei@example.com' },
      error: {
        code: 'invalid_request',
        fields: [{ field: 'username', code: 'username_invalid' }],
        values: { suggestion: 'mei_chen' },
      },
    },
  },
  {
    page: 'register',
    state: 'closed',
    data: { ...form, passwordMinLength: 8, signInHref, closed: true },
  },
  {
    page: 'register',
    state: 'by invitation',
    data: { ...form, app, passwordMinLength: 8, signInHref, invite: { code: '', needed: true } },
  },
  {
    page: 'register',
    state: 'a wrong invitation',
    data: {
      ...form,
      passwordMinLength: 8,
      signInHref,
      typed: { username: 'mei_chen', email: 'mei@example.com' },
      invite: { code: '7K2M-Q4XD-9R3V-HW5T', needed: true },
      error: { code: 'invalid_request', fields: [{ field: 'invite', code: 'invite_invalid' }] },
    },
  },
  { page: 'verify-email', state: 'open', data: { ...verify, app, waitSeconds: 0 } },
  { page: 'verify-email', state: 'resent', data: { ...verify, waitSeconds: 42, resent: true } },
  {
    page: 'verify-email',
    state: 'wrong',
    data: { ...verify, waitSeconds: 0, error: { code: 'code_wrong', values: { count: 3 } } },
  },
  {
    page: 'verify-email',
    state: 'expired',
    data: { ...verify, waitSeconds: 0, state: 'expired' },
  },
  {
    page: 'verify-email',
    state: 'too-many',
    data: { ...verify, waitSeconds: 100, state: 'too-many' },
  },
  {
    page: 'verify-link',
    state: 'ready',
    data: { ...form, state: 'ready', maskedEmail: 'm•••@example.com', username: 'mei_chen' },
  },
  {
    page: 'verify-link',
    state: 'used',
    data: { languageLinks, state: 'used', signInHref },
  },
  {
    page: 'verify-link',
    state: 'expired',
    data: { languageLinks, state: 'expired', signInHref, registerHref },
  },
  { page: 'verify-done', state: 'elsewhere', data: { languageLinks, signInHref } },
  { page: 'verify-done', state: 'here', data: { languageLinks, signInHref, here: true } },
  {
    page: 'verify-done',
    state: 'unfinished',
    data: { languageLinks, signInHref, here: true, unfinished: true },
  },
  {
    page: 'first-passkey',
    state: 'passkey',
    data: {
      ...form,
      app,
      optionsAction: '/sign-in/f1/first-passkey/options',
      passkeyHref: '/sign-in/f1/first-passkey',
      passwordHref: '/sign-in/f1/first-passkey?with=password',
      passwordMinLength: 8,
      error: { code: 'passkey_refused' },
    },
  },
  {
    page: 'first-passkey',
    state: 'password',
    data: {
      ...form,
      passkeyHref: '/sign-in/f1/first-passkey',
      passwordHref: '/sign-in/f1/first-passkey?with=password',
      passwordMinLength: 8,
      error: {
        code: 'password_common',
        fields: [{ field: 'new_password', code: 'password_common' }],
      },
    },
  },
]

const consent: Example[] = [
  {
    page: 'consent',
    state: 'usual',
    data: {
      ...form,
      app,
      username: 'mei_chen',
      switchHref: '/sign-in/f1/switch',
      items: [
        { kind: 'profile', username: 'mei_chen', name: '陈梅' },
        { kind: 'email', email: 'mei@example.com', verified: true },
        { kind: 'offline' },
      ],
    },
  },
  {
    page: 'consent',
    state: 'one item, Chinese name',
    data: {
      ...form,
      app: { name: '云端图书馆', host: 'library.letuslearn.now' },
      username: 'mei_chen',
      switchHref: '/sign-in/f1/switch',
      items: [{ kind: 'identifier' }],
    },
  },
  {
    page: 'consent',
    state: 'an app that a host speaks for',
    data: {
      ...form,
      app: { ...app, unverified: { by: 'agents.example.com' } },
      username: 'mei_chen',
      switchHref: '/sign-in/f1/switch',
      items: [{ kind: 'identifier' }],
    },
  },
  {
    page: 'consent',
    state: 'an app that registered itself',
    data: {
      ...form,
      app: { ...app, unverified: {} },
      username: 'mei_chen',
      switchHref: '/sign-in/f1/switch',
      items: [{ kind: 'identifier' }],
    },
  },
  {
    page: 'consent',
    state: 'very long',
    data: {
      ...form,
      app: longApp,
      username: 'a_username_of_thirty_two_letters',
      switchHref: '/sign-in/f1/switch',
      items: [
        { kind: 'profile', username: 'a_username_of_thirty_two_letters' },
        {
          kind: 'email',
          email: 'somebody.with.an.uncommonly.long.address@mail.department.university.example',
          verified: false,
        },
        { kind: 'address', lines: ['中国北京市海淀区中关村大街二十七号', '100080'] },
        { kind: 'address', lines: [] },
        { kind: 'phone', number: '+8613800138000', verified: false },
        { kind: 'phone', verified: false },
        { kind: 'groups', groups: many },
        { kind: 'groups', groups: [] },
        {
          kind: 'detail',
          api: '云端银行',
          title: 'Ein ungewöhnlich ausführlich überschriebener Zahlungsauftrag',
          description: '每笔付款都需要你单独确认。',
          values: [
            { field: 'actions', value: ['initiate', 'cancel'] },
            { label: '收款人 · 名称', value: ['北京市海淀区中关村图书馆服务有限责任公司'] },
            { label: 'IBAN', value: ['DE'.padEnd(180, '0123456789')] },
            { label: 'Urgent', value: true },
            { label: 'Repeated', value: false },
          ],
        },
        { kind: 'api', api: 'https://files.letuslearn.now', scopes },
        {
          kind: 'api',
          api: 'Calendar',
          scopes: [
            { scope: 'events:read', description: 'See your events' },
            { scope: 'events:write' },
          ],
        },
        { kind: 'offline' },
      ],
    },
  },
]

const leaving: Example[] = [
  {
    page: 'no-access',
    state: 'app',
    data: { ...form, app, username: 'mei_chen', switchHref: '/sign-in/f1' },
  },
  {
    page: 'select-account',
    state: 'app',
    data: { ...form, app, username: 'mei_chen', name: 'Mei Chen', email: 'mei@example.com' },
  },
  { page: 'select-account', state: 'bare', data: { ...form, username: 'mei_chen' } },
  {
    page: 'sign-out',
    state: 'app',
    data: { action: '/oauth2/logout/confirm', xsrf: 'x1', app, languageLinks },
  },
  {
    page: 'sign-out',
    state: 'own',
    data: { action: '/oauth2/logout/confirm', xsrf: 'x1', username: 'mei_chen', languageLinks },
  },
  {
    page: 'signed-out',
    state: 'apps',
    data: {
      languageLinks,
      signInHref,
      app,
      backHref: 'https://cloud.letuslearn.now/',
      againHref: '/oauth2/logout/success',
      apps: [
        { name: 'Cloudreve', state: 'ended' },
        { name: '云端图书馆', state: 'told' },
        { name: 'Nextcloud', state: 'pending' },
        { name: 'Old Wiki', state: 'asked' },
        { name: 'Gitea', state: 'untold' },
        { name: 'Immich', state: 'untold', until: new Date('2027-11-20') },
        { name: 'Grafana', state: 'keeps', until: new Date('2027-11-20') },
        { name: longApp.name, state: 'keeps' },
      ],
    },
  },
  { page: 'signed-out', state: 'empty', data: { languageLinks, signInHref, apps: [] } },
  {
    page: 'account',
    state: 'named',
    data: {
      questions: 2,
      ...form,
      username: 'mei_chen',
      name: '陈梅',
      email: 'mei@example.com',
      emailVerified: true,
    },
  },
  {
    page: 'account',
    state: 'nameless',
    data: {
      ...form,
      username: 'mei_chen',
      email: 'mei@example.com',
      emailVerified: false,
    },
  },
  ...own,
]

const continueHref = '/sign-in/f1/restart'
const troubles: Example[] = [
  {
    page: 'resume',
    state: 'expired',
    data: { languageLinks, signInHref, app, reason: 'expired', continueHref },
  },
  {
    page: 'resume',
    state: 'at the app',
    data: {
      languageLinks,
      signInHref,
      app: longApp,
      reason: 'expired',
      atApp: true,
      continueHref: 'https://app.example.com/',
    },
  },
  {
    page: 'resume',
    state: 'at an app without an address',
    data: { languageLinks, signInHref, app, reason: 'already-done', atApp: true },
  },
  {
    page: 'resume',
    state: 'lost-cookie',
    data: { languageLinks, signInHref, app, reason: 'lost-cookie', continueHref },
  },
  {
    page: 'resume',
    state: 'already-done',
    data: { languageLinks, signInHref, app: longApp, reason: 'already-done', continueHref },
  },
  {
    page: 'resume',
    state: 'other-browser',
    data: { languageLinks, signInHref, reason: 'other-browser' },
  },
  {
    page: 'error',
    state: 'redirect',
    data: {
      languageLinks,
      app,
      reason: 'redirect_uri_mismatch',
      reference: 'K7QX-2MPD',
      technical: {
        error: 'invalid_redirect_uri',
        description: "redirect_uri did not match any of the client's registered redirect_uris",
      },
    },
  },
  {
    page: 'error',
    state: 'unknown reason',
    data: { languageLinks, reason: 'something_new', reference: 'K7QX-2MPD' },
  },
  {
    page: 'message',
    state: 'blocked for a while',
    data: {
      languageLinks,
      kind: 'blocked',
      retryAfterSeconds: 840,
      reference: 'Zk3v8Qm1_pXwT9ab',
      backHref: '/sign-in/f1',
    },
  },
  {
    page: 'message',
    state: 'blocked by a rule',
    data: { languageLinks, kind: 'blocked', reference: 'Zk3v8Qm1_pXwT9ab' },
  },
  { page: 'message', state: 'not-found', data: { languageLinks, kind: 'not-found' } },
  {
    page: 'message',
    state: 'too-many-requests',
    data: { languageLinks, kind: 'too-many-requests', retryAfterSeconds: 55, backHref: '/sign-in' },
  },
  {
    page: 'message',
    state: 'busy',
    data: { languageLinks, kind: 'busy', backHref: '/sign-in' },
  },
  {
    page: 'message',
    state: 'fault',
    data: { languageLinks, kind: 'fault', reference: '01981f3a-7c1e-7b54-a0f3-1c9a2f6d8e11' },
  },
  {
    page: 'message',
    state: 'forbidden',
    data: { languageLinks, kind: 'forbidden', backHref: '/register' },
  },
  { page: 'message', state: 'invalid', data: { languageLinks, kind: 'invalid' } },
  {
    page: 'message',
    state: 'refused',
    data: { languageLinks, kind: 'invalid', error: { code: 'method_not_allowed' } },
  },
]

const mailbox: Example[] = [
  { page: 'mailbox', state: 'empty', data: { languageLinks, mails: [] } },
  {
    page: 'mailbox',
    state: 'two',
    data: {
      languageLinks,
      mails: [
        {
          id: '2',
          to: 'mei@example.com',
          subject: '482913 is your code for letuslearn',
          text: 'Welcome.\n\n    482913\n\nOr verify with this link:\nhttp://localhost:3000/verify-email?token=9vQ7Zc2mJ4Kx\n\nAn address of somebody else: https://evil.example/\n',
          html: '<p>Welcome. <b>482913</b></p>',
          sentAt: '2026-03-04T05:06:07.000Z',
        },
        {
          id: '1',
          to: 'mei@example.com',
          subject: 'You already have an account at letuslearn',
          text: 'You already have an account.\n',
          html: '<p>You already have an account.</p>',
          sentAt: new Date('2026-03-04T05:00:00.000Z'),
        },
      ],
    },
  },
]

export const examples: Example[] = [
  ...factorExamples,
  ...upstreamExamples,
  ...crowdedExamples,
  ...signIn,
  ...device,
  ...requests,
  ...registration,
  ...consent,
  ...leaving,
  ...troubles,
  ...mailbox,
]
