/** What admins may do with those outside by a program: who signs people in for us, and who is told what happens. */
import { z } from 'zod'
import { presetNames } from '../../federation/presets.ts'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const stamp = z.iso.datetime()
const text = z.string().max(4000)
const id = z.string().max(64)
const readProviders = {
  tag: 'admin: providers',
  scope: 'admin:read',
  permission: 'read:providers',
} as const
const writeProviders = {
  tag: 'admin: providers',
  scope: 'admin:write',
  permission: 'write:providers',
  sensitive: true,
} as const
const oneProvider = { path: '/api/admin/providers/{id}', params: { id } } as const
const readWebhooks = {
  tag: 'admin: webhooks',
  scope: 'admin:read',
  permission: 'read:webhooks',
} as const
const writeWebhooks = {
  tag: 'admin: webhooks',
  scope: 'admin:write',
  permission: 'write:webhooks',
  sensitive: true,
} as const
const oneWebhook = { path: '/api/admin/webhooks/{id}', params: { id } } as const

const provider = named(
  'AdminProvider',
  z.object({
    id: z.string(),
    preset: z.enum(presetNames),
    name: z.string(),
    issuer: z.string(),
    client_id: z.string(),
    team_id: z.string().optional(),
    key_id: z.string().nullable().optional(),
    scope: z.string(),
    trust_email: z.boolean(),
    allowed_tenants: z.array(z.string()).optional(),
    role_map: z.array(z.string()).meta({ description: 'claim:value=role' }),
    enabled: z.boolean(),
    redirect_uri: z.string().meta({ description: 'To be registered there, letter by letter.' }),
    backchannel_logout_uri: z.string(),
    created_at: stamp,
    updated_at: stamp,
  }),
)
const providerMembers = {
  name: text.optional(),
  issuer: text.optional(),
  client_id: text.optional(),
  client_secret: text.optional().meta({
    description: 'Our secret there, or the private key (PEM) at Apple. It is never shown.',
    writeOnly: true,
  }),
  team_id: text.optional(),
  key_id: text.optional(),
  scope: text.optional(),
  trust_email: z.boolean().optional(),
  allowed_tenants: z.array(text).max(100).optional(),
  role_map: z.array(text).max(200).optional(),
  enabled: z.boolean().optional(),
  allow_admin_role: z.boolean().optional().meta({ description: 'A role map may make admins.' }),
}

const webhookMembers = {
  id: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  note: z.string().nullable(),
  pending: z.int(),
  failed: z.int(),
  created_at: stamp,
  disabled_at: stamp.nullable(),
  old_secret_until: stamp.nullable(),
  overflowed_at: stamp.nullable(),
}
const webhook = named('AdminWebhook', z.object(webhookMembers))
const webhookWithSecret = named(
  'AdminWebhookWithSecret',
  z.object({ ...webhookMembers, secret: z.string().optional() }),
)
const events = z.array(text).max(200)

export const outsideOperations = {
  'providers.list': {
    ...readProviders,
    method: 'get',
    path: '/api/admin/providers',
    summary: 'Who signs people in for us',
    query: z.strictObject(pageQuery),
    answer: [200, 'A page.', pageOf(provider)],
  },
  'providers.create': {
    ...writeProviders,
    method: 'post',
    path: '/api/admin/providers',
    summary: 'Let somebody sign people in for us; by whoever may everything',
    idempotent: true,
    body: named(
      'NewAdminProvider',
      z.strictObject({ ...providerMembers, id, preset: z.enum(presetNames), client_id: text }),
    ),
    answer: [201, 'Stored.', provider],
  },
  'providers.get': {
    ...readProviders,
    ...oneProvider,
    method: 'get',
    summary: 'One of them',
    answer: [200, 'Its ETag is for If-Match.', provider],
    refused: [404],
  },
  'providers.update': {
    ...writeProviders,
    ...oneProvider,
    method: 'patch',
    summary: 'Change what is named (JSON merge patch); another issuer takes the secret anew',
    ifMatch: 'required',
    body: named('AdminProviderChange', z.strictObject(providerMembers)),
    answer: [200, 'As it is now.', provider],
    refused: [404],
  },
  'providers.delete': {
    ...writeProviders,
    ...oneProvider,
    method: 'delete',
    summary: 'Nobody signs in by it any more; links of people and roles that came by it go',
    ifMatch: 'optional',
    answer: [204, 'Gone.'],
    refused: [404],
  },
  'webhooks.list': {
    ...readWebhooks,
    method: 'get',
    path: '/api/admin/webhooks',
    summary: 'Who is told what happens',
    query: z.strictObject(pageQuery),
    answer: [200, 'A page.', pageOf(webhook)],
  },
  'webhooks.create': {
    ...writeWebhooks,
    method: 'post',
    path: '/api/admin/webhooks',
    summary: 'Tell a service what happens',
    idempotent: true,
    body: named('NewAdminWebhook', z.strictObject({ url: text, events, note: text.optional() })),
    answer: [201, 'Made; its secret is told this once.', webhookWithSecret],
  },
  'webhooks.get': {
    ...readWebhooks,
    ...oneWebhook,
    method: 'get',
    summary: 'One of them',
    answer: [200, 'Without its secret.', webhook],
    refused: [404],
  },
  'webhooks.update': {
    ...writeWebhooks,
    ...oneWebhook,
    method: 'patch',
    summary: 'Change what is named (JSON merge patch), switch off or on, or give a new secret',
    ifMatch: 'required',
    body: named(
      'AdminWebhookChange',
      z.strictObject({
        url: text.optional(),
        events: events.optional(),
        note: text.optional(),
        disabled: z.boolean().optional(),
        rotate_secret: z.literal(true).optional(),
      }),
    ),
    answer: [200, 'As it is now; with a secret where there is a new one.', webhookWithSecret],
    refused: [404],
  },
  'webhooks.delete': {
    ...writeWebhooks,
    ...oneWebhook,
    method: 'delete',
    summary: 'Tell it no more',
    answer: [204, 'Gone, with what waited for it.'],
    refused: [404],
  },
} as const satisfies Operations
