/** What admins may do with signing keys and settings by a program. */
import { z } from 'zod'
import { secondFactors, secondFactorTimes } from '../../clients/second-factor.ts'
import { signingAlgorithms } from '../../oidc/signing-keys.ts'
import { named, type Operations } from '../operations.ts'
import { pageOf, pageQuery } from './pages.ts'

const stamp = z.iso.datetime()
const readKeys = { tag: 'admin: keys', scope: 'admin:read', permission: 'read:keys' } as const
const writeKeys = {
  tag: 'admin: keys',
  scope: 'admin:write',
  permission: 'write:keys',
  sensitive: true,
} as const
const alg = z.enum(signingAlgorithms)

const key = named(
  'SigningKey',
  z.object({
    kid: z.string(),
    alg,
    state: z.enum(['next', 'current', 'previous', 'retired']),
    since: stamp,
    until: stamp.meta({ description: 'The earliest end of its state.' }),
    published_at: stamp,
    activated_at: stamp.nullable(),
    stopped_at: stamp.nullable(),
    public_jwk: z.record(z.string(), z.unknown()),
  }),
)

const members = {
  second_factor: z.enum(secondFactorTimes),
  second_factors: z.array(z.enum(secondFactors)),
  remember_days: z.int().min(0).max(365),
  breached_passwords: z.string().max(2000).nullable().meta({
    description: 'The address of a range service; null: new passwords are not looked up.',
  }),
  audit_retention_days: z.int().min(1).max(36_500).nullable().meta({
    description: 'Null: for ever.',
  }),
}
const settings = named('Settings', z.object(members))
const readSettings = {
  tag: 'admin: settings',
  scope: 'admin:read',
  permission: 'read:settings',
  path: '/api/admin/settings',
} as const

export const houseOperations = {
  'keys.list': {
    ...readKeys,
    method: 'get',
    path: '/api/admin/keys',
    summary: 'What signs tokens: public parts and states',
    query: z.strictObject(pageQuery),
    answer: [200, 'In the order of the key set.', pageOf(key)],
  },
  'keys.rotate': {
    ...writeKeys,
    method: 'post',
    path: '/api/admin/keys/rotation',
    summary: 'Let the next key sign; at once and for good where the current one leaked',
    body: z.strictObject({
      alg: alg.optional(),
      leaked: z.boolean().optional().meta({
        description: 'What it signed is believed no more.',
      }),
    }),
    answer: [
      200,
      'Processes follow within two seconds.',
      named(
        'KeyRotation',
        z.object({
          rotated: z.array(z.object({ alg, kid: z.string(), replaced: z.string() })),
        }),
      ),
    ],
    refused: [409],
  },
  'keys.retire': {
    ...writeKeys,
    method: 'delete',
    path: '/api/admin/keys/{kid}',
    params: { kid: z.string().max(200) },
    query: z.strictObject({ leaked: z.enum(['true']).optional() }),
    summary: 'Take a previous key out of the key set; a leaked one whatever its state',
    answer: [204, 'Gone from the key set.'],
    refused: [404, 409],
  },
  'settings.get': {
    ...readSettings,
    method: 'get',
    summary: 'What is asked of everybody',
    answer: [200, 'Its ETag is for If-Match.', settings],
  },
  'settings.update': {
    ...readSettings,
    scope: 'admin:write',
    permission: 'write:settings',
    method: 'patch',
    summary: 'Change what is named (JSON merge patch)',
    sensitive: true,
    ifMatch: 'required',
    body: named('SettingsChange', z.strictObject(z.object(members).partial().shape)),
    answer: [200, 'As it is now; processes follow within two seconds.', settings],
  },
} as const satisfies Operations
