/** The accounts elsewhere that sign a person in here, for programs. Linking needs both sides proven, and is the pages'. */
import { z } from 'zod'
import type { Operations } from '../operations.ts'

const own = { tag: 'security', scope: 'account', person: true } as const

export const providerOperations = {
  listIdentities: {
    ...own,
    method: 'get',
    path: '/api/account/identities',
    summary: 'The accounts elsewhere that sign me in here, the oldest first',
    answer: [
      200,
      'All of them.',
      z.object({
        identities: z.array(
          z.object({
            id: z.uuid(),
            provider: z.string(),
            enabled: z.boolean().meta({ description: 'Whether it signs anybody in now.' }),
            label: z.string().meta({ description: 'What I am known by there.' }),
            createdAt: z.iso.datetime(),
            lastUsedAt: z.iso.datetime(),
          }),
        ),
      }),
    ],
  },
  unlinkIdentity: {
    ...own,
    method: 'delete',
    path: '/api/account/identities/{id}',
    summary: 'Unlink one: it signs nobody in here any more; the last way in stays',
    sensitive: true,
    answer: [204, 'Unlinked. A mail tells of it.'],
    refused: [404, 409],
  },
} as const satisfies Operations
