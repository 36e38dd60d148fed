/** What admins may do with roles, and which permissions there are, by a program. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const tag = 'admin: roles'
const reading = { scope: 'admin:read', permission: 'read:roles', tag, method: 'get' } as const
const writing = { scope: 'admin:write', permission: 'write:roles', tag, sensitive: true } as const
const one = {
  path: '/api/admin/roles/{id}',
  params: {
    id: z.string().meta({ description: 'A name, or `client/name` percent-encoded.' }),
  },
} as const
const stamp = z.iso.datetime()
const permissions = z.array(z.string().max(1000)).max(200).meta({
  description: 'Such as read:notes, write:notes:own, delete:notes:42 if acr=2fa.',
})
const description = z.string().max(1000)

const answer = named(
  'AdminRole',
  z.object({
    id: z.string(),
    name: z.string(),
    client_id: z.string().nullable().meta({ description: 'The app at which alone it counts.' }),
    description: z.string(),
    permissions: z.array(z.string()),
    built_in: z.boolean(),
    created_at: stamp,
    updated_at: stamp,
  }),
)

export const rolesOperations = {
  'roles.list': {
    ...reading,
    path: '/api/admin/roles',
    summary: 'Roles, by id',
    query: z.strictObject({ ...pageQuery, client_id: z.string().optional() }),
    answer: [200, 'A page.', pageOf(answer)],
  },
  'roles.create': {
    ...writing,
    method: 'post',
    path: '/api/admin/roles',
    summary: 'Make a role, of no more than the caller may',
    idempotent: true,
    body: named(
      'NewAdminRole',
      z.strictObject({
        name: z.string().max(100),
        client_id: z.string().max(128).optional(),
        description: description.optional(),
        permissions: permissions.optional(),
      }),
    ),
    answer: [201, 'Made.', answer],
    refused: [404, 409],
  },
  'roles.get': {
    ...reading,
    ...one,
    summary: 'One role',
    answer: [200, 'Its ETag is for If-Match.', answer],
    refused: [404],
  },
  'roles.update': {
    ...writing,
    ...one,
    method: 'patch',
    summary: 'Change what is named (JSON merge patch); lists replace',
    ifMatch: 'required',
    body: named(
      'AdminRoleChange',
      z.strictObject({ description: description.optional(), permissions: permissions.optional() }),
    ),
    answer: [200, 'As it is now.', answer],
    refused: [404, 422],
  },
  'roles.delete': {
    ...writing,
    ...one,
    method: 'delete',
    summary: 'End a role; whoever holds it loses it',
    ifMatch: 'optional',
    answer: [204, 'Gone.'],
    refused: [404, 409, 422],
  },
  'roles.holders': {
    ...reading,
    path: '/api/admin/roles/{id}/holders',
    params: one.params,
    summary: 'Who holds a role: the first thousand people, groups and apps',
    answer: [
      200,
      'People also by their groups.',
      named(
        'RoleHolders',
        z.object({
          accounts: z.array(z.object({ id: z.uuid(), username: z.string() })),
          groups: z.array(z.string()),
          clients: z.array(z.string()),
        }),
      ),
    ],
    refused: [404],
  },
  'permissions.list': {
    ...reading,
    path: '/api/admin/permissions',
    summary: 'The permissions that open this API, and those that roles hold',
    answer: [
      200,
      'By name.',
      named(
        'KnownPermissions',
        z.object({
          items: z.array(
            z.object({
              permission: z.string(),
              operations: z.array(z.string()).meta({ description: 'What it opens here.' }),
              roles: z.array(z.string()).meta({ description: 'Which hold it, as it is written.' }),
            }),
          ),
        }),
      ),
    ],
  },
} as const satisfies Operations
