/** A new password for whoever reads the account's mail: for programs, by the same steps as the pages. */
import { z } from 'zod'
import { named, type Operations } from './operations.ts'
import { mailAnswer } from './schemas.ts'

const tag = 'password reset'
const id = z.uuid().meta({ description: 'From the answer to the beginning.' })
const withHandle = [{ handle: [] }] as const

export const passwordResetOperations = {
  beginPasswordReset: {
    method: 'post',
    path: '/api/password-resets',
    tag,
    summary: 'Ask for a mail: the answer is the same whether or not the address is known',
    body: named(
      'PasswordResetRequest',
      z.strictObject({
        identifier: z
          .string()
          .max(1000)
          .meta({ description: 'The address of the account: whoever reads its mail may go on.' }),
      }),
    ),
    answer: [
      202,
      'A mail with a code and a link is on its way.',
      named(
        'BegunPasswordReset',
        z.object({
          id: z.uuid(),
          handle: z.string().meta({
            description: 'Secret, told once: the bearer token of everything about this reset.',
          }),
          retryAfter: z.int().meta({ description: 'Seconds until another mail may be asked for.' }),
        }),
      ),
    ],
    refused: [403, 429],
  },
  sendPasswordResetMail: {
    method: 'post',
    path: '/api/password-resets/{id}/mail',
    tag,
    summary: 'Ask for another mail; while the time is not up, none is sent',
    params: { id },
    security: withHandle,
    answer: [202, 'When another may be asked for.', mailAnswer],
    refused: [403, 404, 429],
  },
  resetPassword: {
    method: 'put',
    path: '/api/password-resets/{id}/password',
    tag,
    summary:
      'Set the new password, once: with the code of the mail, or the token of its link. It ends every session and signs nobody in',
    params: { id },
    security: withHandle,
    body: named(
      'PasswordReset',
      z.union([
        z.strictObject({
          code: z.string().max(100).meta({ description: 'Six digits; five guesses, ten minutes.' }),
          newPassword: z.string(),
        }),
        z.strictObject({
          token: z.string().max(200).meta({ description: "From the mail's link." }),
          newPassword: z.string(),
        }),
      ]),
    ),
    answer: [204, 'Done. The next sign-in takes it, and a second factor as ever.'],
    refused: [403, 404, 429, 503],
  },
} as const satisfies Operations
