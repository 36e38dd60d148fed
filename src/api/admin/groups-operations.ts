/** What admins may do with groups by a program. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const tag = 'admin: groups'
const reading = { scope: 'admin:read', permission: 'read:groups', tag, method: 'get' } as const
const writing = { scope: 'admin:write', permission: 'write:groups', tag, sensitive: true } as const
const name = z.string().meta({ description: 'However its case is written; percent-encoded.' })
const one = { path: '/api/admin/groups/{name}', params: { name } } as const
const member = {
  path: '/api/admin/groups/{name}/members/{id}',
  params: { name, id: z.uuid() },
} as const
const stamp = z.iso.datetime()
const members = {
  description: z.string().max(1000).optional(),
  roles: z.array(z.string().max(200)).max(200).optional(),
}

const answer = named(
  'AdminGroup',
  z.object({
    name: z.string(),
    description: z.string(),
    roles: z.array(z.string()),
    members: z.int().min(0).meta({ description: 'How many.' }),
    created_at: stamp,
    updated_at: stamp,
  }),
)

export const groupsOperations = {
  'groups.list': {
    ...reading,
    path: '/api/admin/groups',
    summary: 'Groups, by name',
    query: z.strictObject({ ...pageQuery, role: z.string().optional() }),
    answer: [200, 'A page.', pageOf(answer)],
  },
  'groups.create': {
    ...writing,
    method: 'post',
    path: '/api/admin/groups',
    summary: 'Make a group',
    idempotent: true,
    body: named('NewAdminGroup', z.strictObject({ name: z.string().max(100), ...members })),
    answer: [201, 'Made.', answer],
    refused: [404, 409],
  },
  'groups.get': {
    ...reading,
    ...one,
    summary: 'One group',
    answer: [200, 'Its ETag is for If-Match.', answer],
    refused: [404],
  },
  'groups.update': {
    ...writing,
    ...one,
    method: 'patch',
    summary: 'Change what is named (JSON merge patch); lists replace',
    ifMatch: 'required',
    body: named('AdminGroupChange', z.strictObject(members)),
    answer: [200, 'As it is now.', answer],
    refused: [404, 422],
  },
  'groups.delete': {
    ...writing,
    ...one,
    method: 'delete',
    summary: 'End a group; its members lose its roles',
    ifMatch: 'optional',
    answer: [204, 'Gone.'],
    refused: [404, 409, 422],
  },
  'groups.members': {
    ...reading,
    path: '/api/admin/groups/{name}/members',
    params: { name },
    summary: 'Who is in it, by username',
    query: z.strictObject(pageQuery),
    answer: [
      200,
      'A page.',
      pageOf(named('GroupMember', z.object({ id: z.uuid(), username: z.string(), since: stamp }))),
    ],
    refused: [404],
  },
  'groups.addMember': {
    ...writing,
    ...member,
    method: 'put',
    summary: 'Put somebody into it',
    answer: [204, 'A member.'],
    refused: [404],
  },
  'groups.removeMember': {
    ...writing,
    ...member,
    method: 'delete',
    summary: 'Take somebody out of it',
    answer: [204, 'No member.'],
    refused: [404, 422],
  },
} as const satisfies Operations
