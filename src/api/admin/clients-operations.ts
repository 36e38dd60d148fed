/** What admins may do with apps by a program. */
import { z } from 'zod'
import type { Operations } from '../operations.ts'
import {
  clientAnswer,
  clientChange,
  clientWithSecret,
  newClient,
  rotation,
} from './client-schemas.ts'
import { pageOf, pageQuery } from './pages.ts'

const tag = 'admin: clients'
const reading = { scope: 'admin:read', permission: 'read:clients', tag, method: 'get' } as const
const writing = { scope: 'admin:write', permission: 'write:clients', tag } as const
const id = z.string().max(128)
const one = { path: '/api/admin/clients/{id}', params: { id } } as const
const ofRole = {
  path: '/api/admin/clients/{id}/roles/{role}',
  params: { id, role: z.string().max(200) },
  sensitive: true,
} as const

export const clientsOperations = {
  'clients.list': {
    ...reading,
    path: '/api/admin/clients',
    summary: 'Apps, by name',
    query: z.strictObject({
      ...pageQuery,
      preset: z.string().optional(),
      disabled: z.enum(['true', 'false']).optional(),
      name: z.string().optional().meta({ description: 'Whole, however its case is written.' }),
    }),
    answer: [200, 'A page.', pageOf(clientAnswer)],
  },
  'clients.create': {
    ...writing,
    method: 'post',
    path: '/api/admin/clients',
    summary: 'Register an app',
    sensitive: true,
    idempotent: true,
    body: newClient,
    answer: [201, 'Registered; its secret is told this once.', clientWithSecret],
    refused: [409],
  },
  'clients.get': {
    ...reading,
    ...one,
    summary: 'One app',
    answer: [200, 'Its ETag is for If-Match.', clientAnswer],
    refused: [404],
  },
  'clients.update': {
    ...writing,
    ...one,
    method: 'patch',
    summary: 'Change what is named (JSON merge patch), switch off or on',
    sensitive: true,
    ifMatch: 'required',
    body: clientChange,
    answer: [200, 'As it is now; with a secret where it needs one and had none.', clientWithSecret],
    refused: [404, 409],
  },
  'clients.delete': {
    ...writing,
    ...one,
    method: 'delete',
    summary: 'Remove an app with its tokens and what people allowed it',
    sensitive: true,
    ifMatch: 'optional',
    answer: [204, 'Gone.'],
    refused: [404],
  },
  'clients.rotateSecret': {
    ...writing,
    method: 'post',
    path: '/api/admin/clients/{id}/secret',
    params: { id },
    summary: 'A new secret in place of the old one',
    sensitive: true,
    body: rotation,
    answer: [200, 'Told this once.', clientWithSecret],
    refused: [404, 422],
  },
  'clients.grantRole': {
    ...writing,
    ...ofRole,
    method: 'put',
    summary: 'Give an app a role for what it does for itself',
    answer: [204, 'Held.'],
    refused: [404, 422],
  },
  'clients.revokeRole': {
    ...writing,
    ...ofRole,
    method: 'delete',
    summary: 'Take a role of an app',
    answer: [204, 'Not held.'],
    refused: [404],
  },
} as const satisfies Operations
