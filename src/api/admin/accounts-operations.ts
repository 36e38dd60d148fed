/** What admins may do with accounts by a program. */
import { z } from 'zod'
import type { Operations } from '../operations.ts'
import { accountAnswer, accountChange, newAccount } from './account-schemas.ts'
import { pageOf, pageQuery } from './pages.ts'

const tag = 'admin: accounts'
const reading = { scope: 'admin:read', permission: 'read:accounts', tag } as const
const writing = { scope: 'admin:write', permission: 'write:accounts', tag } as const

export const accountsOperations = {
  'accounts.list': {
    ...reading,
    method: 'get',
    path: '/api/admin/accounts',
    summary: 'Accounts, in order of username',
    query: z.strictObject({
      ...pageQuery,
      status: z.enum(['unverified', 'active', 'disabled', 'deleted']).optional(),
      role: z.string().optional(),
      group: z.string().optional(),
      username: z.string().optional().meta({ description: 'How it begins.' }),
      email: z.string().optional().meta({ description: 'A proven address, whole.' }),
    }),
    answer: [200, 'A page.', pageOf(accountAnswer)],
  },
  'accounts.create': {
    ...writing,
    method: 'post',
    path: '/api/admin/accounts',
    summary: 'Make an account; its person chooses the password',
    sensitive: true,
    idempotent: true,
    body: newAccount,
    answer: [201, 'Made; Location says where.', accountAnswer],
    refused: [404, 409],
  },
  'accounts.get': {
    ...reading,
    method: 'get',
    path: '/api/admin/accounts/{id}',
    summary: 'One account',
    answer: [200, 'Its ETag is for If-Match.', accountAnswer],
    refused: [404],
  },
  'accounts.update': {
    ...writing,
    method: 'patch',
    path: '/api/admin/accounts/{id}',
    summary: 'Change what is named (JSON merge patch, RFC 7396), switch off or on',
    ifMatch: 'required',
    body: accountChange,
    answer: [200, 'As it is now.', accountAnswer],
    refused: [404, 422],
  },
} as const satisfies Operations
