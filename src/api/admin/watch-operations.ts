/** What admins may see and end while it happens, by a program: sessions, grants, what was done, mail on its way. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const stamp = z.iso.datetime()
const text = z.string()
const by = (noun: string) =>
  ({
    reading: { tag: `admin: ${noun}`, scope: 'admin:read', permission: `read:${noun}` },
    writing: { tag: `admin: ${noun}`, scope: 'admin:write', permission: `write:${noun}` },
  }) as const
const [sessions, grants, audit, mail] = [by('sessions'), by('grants'), by('audit'), by('mail')]
const ofWhom = {
  account: z.uuid().optional(),
  client: z.string().max(2000).optional(),
}
const session = named(
  'AdminSession',
  z.object({
    session: text,
    account_id: z.uuid(),
    username: text,
    signed_in_at: stamp,
    expires_at: stamp,
    acr: text.nullable(),
    amr: z.array(text),
    clients: z.array(text),
  }),
)
const grant = named(
  'AdminGrant',
  z.object({
    grant: text,
    account_id: text,
    username: text.nullable(),
    client_id: text,
    scopes: z.array(text),
    apis: z.array(text),
    offline: z.boolean().meta({ description: 'Outlives the session.' }),
    created_at: stamp,
    last_used_at: stamp.nullable(),
    expires_at: stamp,
  }),
)
const event = named(
  'AuditEvent',
  z.object({
    id: text,
    at: stamp,
    type: text,
    actor: z.object({ kind: text, id: text.nullable(), username: text.nullable() }),
    account_id: text.nullable(),
    username: text.nullable(),
    client_id: text.nullable(),
    address: text.nullable(),
    request_id: text.nullable(),
    detail: z.record(z.string(), z.unknown()),
  }),
)
const queued = named(
  'QueuedMail',
  z.object({
    id: text,
    kind: text,
    to: text.nullable().meta({ description: 'Masked.' }),
    state: z.enum(['waiting', 'sending', 'failed']),
    attempts: z.int(),
    max_attempts: z.int(),
    created_at: stamp,
    next_at: stamp.nullable(),
    error: text.nullable(),
  }),
)
const time = z.iso.datetime({ offset: true }).optional()

export const watchOperations = {
  'sessions.list': {
    ...sessions.reading,
    method: 'get',
    path: '/api/admin/sessions',
    summary: 'Who is signed in where, the newest sign-in first',
    query: z.strictObject({ ...pageQuery, ...ofWhom }),
    answer: [200, 'A page.', pageOf(session)],
  },
  'sessions.end': {
    ...sessions.writing,
    method: 'delete',
    path: '/api/admin/sessions/{id}',
    params: { id: z.string().max(200) },
    summary: 'End a session with every token that hangs on it',
    answer: [204, 'Signed out; apps are told.'],
    refused: [404],
  },
  'grants.list': {
    ...grants.reading,
    method: 'get',
    path: '/api/admin/grants',
    summary: 'What apps hold of people, the newest first',
    query: z.strictObject({
      ...pageQuery,
      ...ofWhom,
      offline: z.enum(['true']).optional(),
    }),
    answer: [200, 'A page.', pageOf(grant)],
  },
  'grants.revoke': {
    ...grants.writing,
    method: 'delete',
    path: '/api/admin/grants/{id}',
    params: { id: z.string().max(200) },
    summary: 'End what one app holds of one person, with every token of it',
    answer: [204, 'Ended; the session goes on.'],
    refused: [404],
  },
  'audit.list': {
    ...audit.reading,
    method: 'get',
    path: '/api/admin/audit',
    summary: 'What happened, the newest first',
    query: z.strictObject({
      ...pageQuery,
      ...ofWhom,
      type: z.string().max(100).optional().meta({
        description: 'Such as sign_in.refused, or its beginning up to a dot.',
      }),
      actor: z.string().max(200).optional().meta({ description: 'A kind, or an id.' }),
      address: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]).optional(),
      since: time,
      until: time,
    }),
    answer: [200, 'A page.', pageOf(event)],
  },
  'mail.list': {
    ...mail.reading,
    method: 'get',
    path: '/api/admin/mail',
    summary: 'Mails on their way, the oldest first',
    query: z.strictObject({ ...pageQuery, state: z.enum(['failed']).optional() }),
    answer: [200, 'A page.', pageOf(queued)],
  },
  'mail.retry': {
    ...mail.writing,
    method: 'post',
    path: '/api/admin/mail/{id}/retry',
    params: { id: z.string().regex(/^\d{1,18}$/) },
    summary: 'Send a mail again at once',
    answer: [204, 'On its way.'],
    refused: [404],
  },
} as const satisfies Operations
