/** Who one is, as a program reads and changes it. */
import { z } from 'zod'
import { addressMembers } from '../../accounts/contact.ts'
import { profileLocales } from '../../accounts/profile.ts'
import { named, type Operations } from '../operations.ts'

const tag = 'account'
export const scope = 'account'
const address = z.partialRecord(z.enum(addressMembers), z.string())

export const accountAnswer = named(
  'Account',
  z.object({
    id: z.uuid().meta({ description: 'Never changes; apps know the person by it (`sub`).' }),
    username: z.string(),
    name: z.string(),
    givenName: z.string(),
    familyName: z.string(),
    locale: z.string().nullable(),
    zoneinfo: z.string().nullable(),
    email: z.string().nullable(),
    picture: z.string().nullable(),
    phoneNumber: z.string().nullable(),
    address: address.nullable().meta({ description: 'Members of OpenID Connect Core 5.1.1.' }),
    createdAt: z.iso.datetime(),
    deletionDueAt: z.iso.datetime().nullable(),
  }),
)

export const profileChange = named(
  'ProfileChange',
  z.strictObject({
    name: z.string().max(1000).optional(),
    givenName: z.string().max(1000).optional(),
    familyName: z.string().max(1000).optional(),
    locale: z
      .string()
      .max(100)
      .nullable()
      .optional()
      .meta({ description: `${profileLocales.join(', ')}; null takes it away.` }),
    zoneinfo: z
      .string()
      .max(100)
      .nullable()
      .optional()
      .meta({ description: 'Of the IANA database; null takes it away.' }),
    phoneNumber: z.string().max(100).nullable().optional().meta({ description: 'E.164.' }),
    address: z
      .partialRecord(z.enum(addressMembers), z.string().max(1000).nullable())
      .nullable()
      .optional()
      .meta({ description: 'Members that are named change; null takes one, or all, away.' }),
  }),
)

export const profileOperations = {
  readAccount: {
    method: 'get',
    path: '/api/account',
    tag,
    scope,
    person: true,
    summary: 'Who I am',
    answer: [200, 'The account; its ETag is for If-Match.', accountAnswer],
  },
  changeProfile: {
    method: 'patch',
    path: '/api/account',
    tag,
    scope,
    person: true,
    summary: 'Change what I say of myself; what is not named stays',
    ifMatch: 'optional',
    body: profileChange,
    answer: [200, 'The account as it is now.', accountAnswer],
  },
  setPicture: {
    method: 'put',
    path: '/api/account/picture',
    tag,
    scope,
    person: true,
    summary: 'Give myself a picture: it is drawn anew as a small square',
    upload: ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/heic'],
    answer: [204, 'Done; the account names its address.'],
    refused: [400],
  },
  removePicture: {
    method: 'delete',
    path: '/api/account/picture',
    tag,
    scope,
    person: true,
    summary: 'Take my picture away',
    answer: [204, 'There is none.'],
  },
} as const satisfies Operations
