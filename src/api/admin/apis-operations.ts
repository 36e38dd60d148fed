/** What admins may do with APIs (resource servers) by a program. */
import { z } from 'zod'
import { tokenAlgs, tokenFormats } from '../../clients/apis.ts'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const tag = 'admin: apis'
const reading = { scope: 'admin:read', permission: 'read:apis', tag, method: 'get' } as const
const writing = { scope: 'admin:write', permission: 'write:apis', tag, sensitive: true } as const
const one = {
  path: '/api/admin/apis/{identifier}',
  params: {
    identifier: z.string().meta({ description: 'Its address, percent-encoded.' }),
  },
} as const
const schema = z.record(z.string(), z.unknown())

const members = {
  name: z.string().max(200),
  scopes: z.array(z.string().max(200)).max(500),
  token_format: z.enum(tokenFormats),
  token_alg: z.enum(tokenAlgs),
  access_token_lifetime: z.int().meta({ description: 'Seconds.' }),
}

const answer = named(
  'AdminApi',
  z.object({
    identifier: z.string(),
    ...members,
    built_in: z.boolean().optional().meta({ description: 'Our own.' }),
    authorization_types: z
      .record(z.string(), schema)
      .meta({ description: 'JSON Schemas by name.' }),
    created_at: z.iso.datetime(),
  }),
)

const changeable = {
  ...z.object(members).partial().shape,
  authorization_types: z.record(z.string(), schema.nullable()).optional().meta({
    description: 'One at a time; null takes one away.',
  }),
}

export const apisOperations = {
  'apis.list': {
    ...reading,
    path: '/api/admin/apis',
    summary: 'APIs, by identifier',
    query: z.strictObject(pageQuery),
    answer: [200, 'A page.', pageOf(answer)],
  },
  'apis.create': {
    ...writing,
    method: 'post',
    path: '/api/admin/apis',
    summary: 'Make an API that tokens may be for',
    idempotent: true,
    body: named('NewAdminApi', z.strictObject({ identifier: z.string().max(2000), ...changeable })),
    answer: [201, 'Made.', answer],
    refused: [409],
  },
  'apis.get': {
    ...reading,
    ...one,
    summary: 'One API',
    answer: [200, 'Its ETag is for If-Match.', answer],
    refused: [404],
  },
  'apis.update': {
    ...writing,
    ...one,
    method: 'patch',
    summary:
      'Change what is named (JSON merge patch); scopes that go are taken from apps and tokens',
    ifMatch: 'required',
    body: named('AdminApiChange', z.strictObject(changeable)),
    answer: [200, 'As it is now.', answer],
    refused: [404, 409],
  },
  'apis.delete': {
    ...writing,
    ...one,
    method: 'delete',
    summary: 'Remove an API; no app gets tokens for it any more',
    ifMatch: 'optional',
    answer: [204, 'Gone.'],
    refused: [404, 422],
  },
} as const satisfies Operations
