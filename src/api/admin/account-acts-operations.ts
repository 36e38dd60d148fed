/** What admins may do to an account beside changing it: what it holds, how it comes in, and its end. */
import { z } from 'zod'
import { longestRecoverySeconds, shortestRecoverySeconds } from '../../credentials/recovery-link.ts'
import { named, type Operations } from '../operations.ts'

const tag = 'admin: accounts'
const reading = { scope: 'admin:read', permission: 'read:accounts', tag, method: 'get' } as const
const writing = { scope: 'admin:write', permission: 'write:accounts', tag } as const
const role = z.string().max(200).meta({ description: 'Its id: a name, or `client/name`.' })
const group = z.string().max(100)
const id = z.uuid()

const heldRoles = named(
  'HeldRoles',
  z.object({
    items: z.array(
      z.object({
        role: z.string(),
        own: z.boolean().meta({ description: 'Given to the account itself.' }),
        groups: z.array(z.string()).meta({ description: 'By which it comes too.' }),
      }),
    ),
  }),
)
const count = z.int().min(0)

export const accountActsOperations = {
  'accounts.delete': {
    ...writing,
    method: 'delete',
    path: '/api/admin/accounts/{id}',
    summary: 'Have somebody leave: erased after a week, or at once',
    sensitive: true,
    ifMatch: 'optional',
    query: z.strictObject({
      at_once: z.enum(['true', 'false']).optional().meta({
        description: 'Without it a sign-in within seven days takes it back.',
      }),
    }),
    answer: [204, 'Every session and token has ended.'],
    refused: [404, 422],
  },
  'accounts.roles': {
    ...reading,
    path: '/api/admin/accounts/{id}/roles',
    summary: 'Which roles somebody holds, and by what',
    answer: [200, 'All of them.', heldRoles],
    refused: [404],
  },
  'accounts.grantRole': {
    ...writing,
    method: 'put',
    path: '/api/admin/accounts/{id}/roles/{role}',
    params: { id, role },
    summary: 'Give a role; nobody gives more than they have',
    sensitive: true,
    answer: [204, 'Held.'],
    refused: [404, 422],
  },
  'accounts.revokeRole': {
    ...writing,
    method: 'delete',
    path: '/api/admin/accounts/{id}/roles/{role}',
    params: { id, role },
    summary: 'Take a role that was given to the account itself',
    sensitive: true,
    answer: [204, 'Not held, but by a group.'],
    refused: [404, 422],
  },
  'accounts.addGroup': {
    ...writing,
    method: 'put',
    path: '/api/admin/accounts/{id}/groups/{group}',
    params: { id, group },
    summary: 'Put somebody into a group',
    sensitive: true,
    answer: [204, 'A member.'],
    refused: [404],
  },
  'accounts.removeGroup': {
    ...writing,
    method: 'delete',
    path: '/api/admin/accounts/{id}/groups/{group}',
    params: { id, group },
    summary: 'Take somebody out of a group',
    sensitive: true,
    answer: [204, 'No member.'],
    refused: [404, 422],
  },
  'accounts.factors': {
    ...reading,
    path: '/api/admin/accounts/{id}/factors',
    summary: 'What somebody signs in by',
    answer: [200, 'By name.', named('AccountFactors', z.object({ factors: z.array(z.string()) }))],
    refused: [404],
  },
  'accounts.resetFactors': {
    ...writing,
    method: 'post',
    path: '/api/admin/accounts/{id}/factors-reset',
    summary: 'Take every second factor and passkey away; the person is told by mail',
    sensitive: true,
    answer: [
      200,
      'How many there were.',
      named(
        'RemovedFactors',
        z.object({
          authenticators: count,
          recovery_codes: count,
          passkeys: count,
          remembered_devices: count,
        }),
      ),
    ],
    refused: [404],
  },
  'accounts.mailPasswordReset': {
    ...writing,
    method: 'post',
    path: '/api/admin/accounts/{id}/password-reset',
    summary: 'Mail somebody a code and a link to choose a new password',
    sensitive: true,
    answer: [204, 'On its way.'],
    refused: [404, 409],
  },
  'accounts.recoveryLink': {
    ...writing,
    method: 'post',
    path: '/api/admin/accounts/{id}/recovery-link',
    summary:
      'A link at which its person chooses a new password, good once; whoever opens it has the account',
    sensitive: true,
    body: z.strictObject({
      expires_in: z.int().min(shortestRecoverySeconds).max(longestRecoverySeconds).optional().meta({
        description: 'Seconds; half an hour when not given.',
      }),
    }),
    answer: [
      200,
      'Told this once. A newer one ends it.',
      named('RecoveryLink', z.object({ link: z.string(), expires_at: z.iso.datetime() })),
    ],
    refused: [404, 409],
  },
  'accounts.endSessions': {
    ...writing,
    permission: 'write:sessions',
    method: 'delete',
    path: '/api/admin/accounts/{id}/sessions',
    summary: 'Sign somebody out everywhere, of every app',
    answer: [204, 'Nothing of it is alive.'],
    refused: [404],
  },
} as const satisfies Operations
