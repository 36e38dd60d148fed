/** What admins may do with invitations and blocked addresses by a program. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const stamp = z.iso.datetime()
const id = z.string().max(64)
const lifetime = z
  .int()
  .min(1)
  .max(366 * 86_400)
  .nullable()
  .optional()
  .meta({
    description: 'Seconds; null or left out: it does not end by itself.',
  })
const invites = { tag: 'admin: invites' } as const
const readInvites = { ...invites, scope: 'admin:read', permission: 'read:invites' } as const
const writeInvites = { ...invites, scope: 'admin:write', permission: 'write:invites' } as const
const blocks = { tag: 'admin: blocks' } as const
const readBlocks = { ...blocks, scope: 'admin:read', permission: 'read:blocks' } as const
const writeBlocks = { ...blocks, scope: 'admin:write', permission: 'write:blocks' } as const

const inviteMembers = {
  id: z.string(),
  state: z.enum(['open', 'used', 'expired', 'revoked']),
  uses: z.int(),
  used: z.int(),
  roles: z.array(z.string()),
  email: z.string().nullable(),
  note: z.string().nullable(),
  created_by: z.string(),
  created_at: stamp,
  expires_at: stamp.nullable(),
  revoked_at: stamp.nullable(),
}
const invite = named('AdminInvite', z.object(inviteMembers))

const block = named(
  'AdminBlock',
  z.object({
    id: z.string(),
    network: z.string().meta({ description: 'CIDR.' }),
    kind: z.enum(['rule', 'behaviour']),
    scope: z.enum(['entry', 'all']),
    reason: z.string(),
    times: z.int(),
    live: z.boolean(),
    created_by: z.string(),
    created_at: stamp,
    expires_at: stamp.nullable(),
  }),
)

export const entryOperations = {
  'invites.list': {
    ...readInvites,
    method: 'get',
    path: '/api/admin/invites',
    summary: 'Invitations, the newest first',
    query: z.strictObject({ ...pageQuery, state: inviteMembers.state.optional() }),
    answer: [200, 'A page; no code is in it.', pageOf(invite)],
  },
  'invites.create': {
    ...writeInvites,
    method: 'post',
    path: '/api/admin/invites',
    summary: 'Invite; roles only as the caller may give them',
    sensitive: true,
    idempotent: true,
    body: named(
      'NewAdminInvite',
      z.strictObject({
        uses: z.int().min(1).max(1_000_000).optional(),
        expires_in: lifetime,
        roles: z.array(z.string().max(200)).max(50).optional(),
        email: z.string().max(320).optional(),
        note: z.string().max(200).optional(),
        send_in: z.enum(['en', 'zh-CN']).optional().meta({
          description: 'Mails it to `email` in this language.',
        }),
      }),
    ),
    answer: [
      201,
      'Made; its code is told this once.',
      named(
        'AdminInviteWithCode',
        z.object({ ...inviteMembers, code: z.string(), link: z.string() }),
      ),
    ],
    refused: [404],
  },
  'invites.get': {
    ...readInvites,
    method: 'get',
    path: '/api/admin/invites/{id}',
    params: { id },
    summary: 'One invitation',
    answer: [200, 'Without its code.', invite],
    refused: [404],
  },
  'invites.revoke': {
    ...writeInvites,
    method: 'delete',
    path: '/api/admin/invites/{id}',
    params: { id },
    summary: 'Nobody comes in by it any more',
    answer: [204, 'Revoked.'],
    refused: [404],
  },
  'blocks.list': {
    ...readBlocks,
    method: 'get',
    path: '/api/admin/blocks',
    summary: 'Blocked addresses, the newest first',
    query: z.strictObject({ ...pageQuery, ended: z.enum(['true', 'false']).optional() }),
    answer: [200, 'A page.', pageOf(block)],
  },
  'blocks.create': {
    ...writeBlocks,
    method: 'post',
    path: '/api/admin/blocks',
    summary: 'Block an address or a network; the same again changes reason and end',
    idempotent: true,
    sensitive: true,
    body: named(
      'NewAdminBlock',
      z.strictObject({
        network: z.string().max(100),
        scope: z.enum(['entry', 'all']).optional(),
        reason: z.string().max(200),
        expires_in: lifetime,
      }),
    ),
    answer: [201, 'It counts within two seconds.', block],
  },
  'blocks.get': {
    ...readBlocks,
    method: 'get',
    path: '/api/admin/blocks/{id}',
    params: { id },
    summary: 'One of them',
    answer: [200, 'As it is.', block],
    refused: [404],
  },
  'blocks.delete': {
    ...writeBlocks,
    method: 'delete',
    path: '/api/admin/blocks/{id}',
    params: { id },
    summary: 'Let it in again',
    answer: [204, 'Forgotten.'],
    refused: [404],
  },
} as const satisfies Operations
