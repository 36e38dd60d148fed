/** Authenticators, recovery codes and passkeys, as a program lists and changes them: opening and closing a way in is sensitive. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { passkeyAnswer, passkeyOptions } from '../schemas.ts'

const tag = 'security'
const own = { tag, scope: 'account', person: true } as const
const when = z.iso.datetime()
const name = z.strictObject({ name: z.string().max(1000) })

const authenticator = z.object({
  id: z.uuid(),
  name: z.string(),
  createdAt: when,
  lastUsedAt: when.nullable(),
})

const codes = z
  .array(z.string())
  .meta({ description: 'Each good once. They are never shown again.' })

const passkey = z.object({
  id: z.uuid(),
  name: z.string(),
  createdAt: when,
  lastUsedAt: when.nullable(),
  backedUp: z.boolean().meta({ description: 'Known to be synchronized.' }),
})

export const factorOperations = {
  listAuthenticators: {
    ...own,
    method: 'get',
    path: '/api/account/authenticators',
    summary: 'My authenticator apps, the oldest first',
    answer: [200, 'All of them.', z.object({ authenticators: z.array(authenticator) })],
  },
  beginAuthenticator: {
    ...own,
    method: 'post',
    path: '/api/account/authenticators/set-up',
    summary: 'A secret for a new authenticator; nothing is kept until a code proves it',
    sensitive: true,
    answer: [
      200,
      'For a QR code, or to be typed. Good for a quarter of an hour, with this sign-in alone.',
      named(
        'SetUp',
        z.object({
          ticket: z.string(),
          secret: z.string().meta({ description: 'Base32.' }),
          uri: z.string().meta({ description: 'otpauth:// for a QR code.' }),
        }),
      ),
    ],
  },
  addAuthenticator: {
    ...own,
    method: 'post',
    path: '/api/account/authenticators',
    summary: 'Make the authenticator with a first code; the same set-up makes one',
    sensitive: true,
    body: named(
      'NewAuthenticator',
      z.strictObject({
        ticket: z.string().max(2000),
        code: z.string().max(100),
        name: z.string().max(1000).default(''),
      }),
    ),
    answer: [
      201,
      'There it is, with recovery codes where there were none.',
      z.object({ id: z.uuid(), recoveryCodes: codes.nullable() }),
    ],
    refused: [409],
  },
  renameAuthenticator: {
    ...own,
    method: 'patch',
    path: '/api/account/authenticators/{id}',
    summary: 'Call it something else',
    sensitive: true,
    body: name,
    answer: [204, 'Renamed.'],
    refused: [404],
  },
  removeAuthenticator: {
    ...own,
    method: 'delete',
    path: '/api/account/authenticators/{id}',
    summary: 'Take it away; browsers that stood for it are forgotten',
    sensitive: true,
    answer: [204, 'Gone. A mail tells of it.'],
    refused: [404],
  },
  countRecoveryCodes: {
    ...own,
    method: 'get',
    path: '/api/account/recovery-codes',
    summary: 'How many recovery codes are left',
    answer: [200, 'Never the codes.', z.object({ left: z.int(), madeAt: when.nullable() })],
  },
  renewRecoveryCodes: {
    ...own,
    method: 'post',
    path: '/api/account/recovery-codes',
    summary: 'Ten new recovery codes; the old ones are void',
    sensitive: true,
    answer: [201, 'The only time that they are shown.', z.object({ codes })],
  },
  listPasskeys: {
    ...own,
    method: 'get',
    path: '/api/account/passkeys',
    summary: 'My passkeys, the oldest first',
    answer: [200, 'All of them.', z.object({ passkeys: z.array(passkey) })],
  },
  passkeyOptions: {
    ...own,
    method: 'post',
    path: '/api/account/passkeys/options',
    summary: 'What navigator.credentials.create() takes, on a page of our own domain',
    sensitive: true,
    answer: [
      200,
      'PublicKeyCredentialCreationOptionsJSON; its challenge is good once, for five minutes.',
      passkeyOptions,
    ],
    refused: [404],
  },
  addPasskey: {
    ...own,
    method: 'post',
    path: '/api/account/passkeys',
    summary: 'Keep what the authenticator answered',
    sensitive: true,
    body: passkeyAnswer,
    answer: [201, 'There it is.', z.object({ id: z.uuid() })],
    refused: [404, 409],
  },
  renamePasskey: {
    ...own,
    method: 'patch',
    path: '/api/account/passkeys/{id}',
    summary: 'Call it something else',
    sensitive: true,
    body: name,
    answer: [204, 'Renamed.'],
    refused: [404],
  },
  removePasskey: {
    ...own,
    method: 'delete',
    path: '/api/account/passkeys/{id}',
    summary: 'Take it away; the last way in stays',
    sensitive: true,
    answer: [204, 'Gone. A mail tells of it.'],
    refused: [404, 409],
  },
} as const satisfies Operations
