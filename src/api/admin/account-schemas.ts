/** An account as admins see and change it. There is no member for a password: nobody chooses one for somebody else. */
import { z } from 'zod'
import { addressMembers } from '../../accounts/contact.ts'
import { profileLocales } from '../../accounts/profile.ts'
import { named } from '../operations.ts'

const stamp = z.iso.datetime()
const address = z.partialRecord(z.enum(addressMembers), z.string())

export const accountAnswer = named(
  'AdminAccount',
  z.object({
    id: z.uuid().meta({ description: 'Apps know the person by it (`sub`).' }),
    username: z.string(),
    email: z.string().nullable(),
    email_verified: z.boolean(),
    name: z.string(),
    given_name: z.string(),
    family_name: z.string(),
    locale: z.string().nullable(),
    zoneinfo: z.string().nullable(),
    phone_number: z.string().nullable(),
    phone_number_verified: z.boolean(),
    address: address.nullable(),
    picture: z.string().nullable(),
    has_password: z.boolean(),
    status: z.enum(['unverified', 'active', 'disabled', 'deleted']),
    disabled_reason: z.string().nullable(),
    roles: z.array(z.string()).meta({ description: 'Of their own and by groups.' }),
    groups: z.array(z.string()),
    deletion_due_at: stamp.nullable(),
    created_at: stamp,
    updated_at: stamp,
  }),
)

const text = z.string().max(1000)

export const newAccount = named(
  'NewAdminAccount',
  z.strictObject({
    username: text,
    email: text,
    email_verified: z.literal(true).meta({
      description:
        'You vouch for the address. For somebody who is to prove it, make an invitation.',
    }),
    name: text.optional(),
    locale: z.enum(profileLocales).optional(),
    roles: z.array(text).max(50).optional(),
    groups: z.array(text).max(50).optional(),
    send_mail: z.boolean().optional().meta({
      description: 'Mails the person a code and a link to choose a password. Nobody else does.',
    }),
  }),
)

export const accountChange = named(
  'AdminAccountChange',
  z.strictObject({
    name: text.optional(),
    given_name: text.optional(),
    family_name: text.optional(),
    locale: z.string().max(100).nullable().optional(),
    zoneinfo: z.string().max(100).nullable().optional(),
    phone_number: z.string().max(100).nullable().optional().meta({ description: 'E.164.' }),
    address: z.partialRecord(z.enum(addressMembers), text.nullable()).nullable().optional(),
    status: z.enum(['active', 'disabled']).optional().meta({
      description:
        'disabled ends every session and token; active makes an unproven one unverified.',
    }),
    disabled_reason: z.string().max(500).optional(),
  }),
)
