/** The JSON of registrations, once: what is read is checked by it, and the OpenAPI document is made of it. */
import { z } from 'zod'
import type { RegistrationStatus } from '../database/tables.ts'
import { machine } from '../registration/machine.ts'
import { named } from './operations.ts'

const statuses = Object.keys(machine) as [RegistrationStatus, ...RegistrationStatus[]]

/** Which values are right is the room's business, so that pages and programs hear the same. */
export const registrationRequest = named(
  'RegistrationRequest',
  z.strictObject({
    username: z.string().meta({ description: 'A Linux user name: ^[a-z_][a-z0-9_-]{0,31}$.' }),
    email: z.string().meta({ description: 'One mailbox. It is proven by a mailed code or link.' }),
    password: z.string().nullable().meta({
      description:
        'At most 256 code points; compared in NFC. Null for a passkey alone, made once the address is proven.',
    }),
    name: z.string().optional().meta({ description: 'Shown to apps; the username when absent.' }),
    locale: z
      .string()
      .max(35)
      .optional()
      .meta({ description: 'Language of mails and messages: en, zh-CN. Else Accept-Language.' }),
    invite: z.string().max(64).optional().meta({
      description: 'The code of an invitation; needed where registration is by invitation.',
    }),
  }),
)

const registrationFields = {
  id: z.uuid(),
  status: z.enum(statuses),
  progress: z.int().min(0).max(100).meta({ description: 'Percent of the way.' }),
  message: z.string().meta({ description: "A sentence in the person's language." }),
  canProceed: z.boolean().meta({
    description: 'False when this registration has ended and only a new one helps.',
  }),
  details: z.object({
    lastStep: z.enum(statuses).meta({ description: 'The last status reached before a failure.' }),
    error: z.string().nullable().meta({ description: 'Why it failed: a stable code.' }),
    lastUpdated: z.iso.datetime(),
  }),
}

export const registration = named('Registration', z.object(registrationFields))

export const begunRegistration = named(
  'BegunRegistration',
  z.object({
    ...registrationFields,
    handle: z.string().meta({
      description:
        'Secret, told once. It is the bearer token of everything about this registration.',
    }),
  }),
)

export const availability = named(
  'Availability',
  z.object({ available: z.boolean(), message: z.string() }),
)

export const passkeyAnswer = named(
  'PasskeyAnswer',
  z.strictObject({
    answer: z
      .record(z.string(), z.unknown())
      .meta({ description: 'RegistrationResponseJSON of WebAuthn.' }),
  }),
)

export const passkeyOptions = z.record(z.string(), z.unknown())

export const verificationRequest = named(
  'VerificationRequest',
  z.union([
    z.strictObject({
      code: z
        .string()
        .meta({ description: 'The six digits of the mail. Five guesses, ten minutes.' }),
    }),
    z.strictObject({ token: z.string().meta({ description: "From the mail's link." }) }),
  ]),
)

export const mailAnswer = named(
  'MailAnswer',
  z.object({
    retryAfter: z
      .int()
      .min(0)
      .meta({ description: 'Seconds until another mail may be asked for.' }),
  }),
)

/** RFC 9457. */
export const problem = named(
  'Problem',
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable; the same as in pages and audit.' }),
    detail: z.string().meta({ description: "A sentence in the caller's language." }),
    requestId: z.string(),
    errors: z.array(z.object({ field: z.string(), code: z.string() })),
  }),
)
