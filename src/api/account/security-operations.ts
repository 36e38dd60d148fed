/** Password and address, as a program reads and changes them. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { mailAnswer } from '../schemas.ts'

const tag = 'security'
const own = { tag, scope: 'account', person: true } as const

const addressChange = named(
  'AddressChange',
  z.object({
    maskedEmail: z.string(),
    state: z
      .enum(['open', 'expired', 'too-many'])
      .meta({ description: 'Whether the newest code can still be given.' }),
    retryAfter: z.int().meta({ description: 'Seconds until another mail may be asked for.' }),
  }),
)

export const securityOperations = {
  changePassword: {
    ...own,
    method: 'put',
    path: '/api/account/password',
    summary: 'Set a new password; every other session ends, with what it gave to apps',
    sensitive: true,
    body: named(
      'PasswordChange',
      z.strictObject({
        newPassword: z.string(),
        currentPassword: z.string().max(1000).optional().meta({
          description:
            'Where a program asks for it: 403 says invalid_credentials when it is wrong.',
        }),
      }),
    ),
    answer: [204, 'Changed. A mail tells of it.'],
    refused: [503],
  },
  readAddressChange: {
    ...own,
    method: 'get',
    path: '/api/account/address-change',
    summary: 'The change of address that waits for its proof',
    answer: [200, 'Where it stands.', addressChange],
    refused: [404],
  },
  beginAddressChange: {
    ...own,
    method: 'post',
    path: '/api/account/address-change',
    summary: 'Ask for another address: the same whether or not it belongs to somebody',
    sensitive: true,
    body: named('AddressRequest', z.strictObject({ email: z.string().max(1000) })),
    answer: [202, 'A mail with a code and a link is on its way to it.', addressChange],
  },
  confirmAddressChange: {
    ...own,
    method: 'post',
    path: '/api/account/address-change/verification',
    summary:
      'Prove the new address with the code. Who reads its mail may know whose it is: 409 says email_already_exists',
    sensitive: true,
    body: named(
      'AddressCode',
      z.strictObject({ code: z.string().max(100).meta({ description: 'Five guesses.' }) }),
    ),
    answer: [204, 'Changed. Both addresses are told, and for a week the old one can undo it.'],
    refused: [404, 409],
  },
  sendAddressMail: {
    ...own,
    method: 'post',
    path: '/api/account/address-change/mail',
    summary: 'Ask for another mail; while the time is not up, none is sent',
    sensitive: true,
    answer: [202, 'When another may be asked for.', mailAnswer],
    refused: [404],
  },
  cancelAddressChange: {
    ...own,
    method: 'delete',
    path: '/api/account/address-change',
    summary: 'Give the change up',
    answer: [204, 'There is none any more.'],
    refused: [404],
  },
} as const satisfies Operations
