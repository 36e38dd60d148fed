/** How one signs in, as a program reads and changes it. Whatever opens or closes a way in is sensitive. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'
import { mailAnswer } from '../schemas.ts'

const tag = 'security'
const own = { tag, scope: 'account', person: true } as const
const when = z.iso.datetime()
const name = z.strictObject({ name: z.string().max(1000) })

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

export const securityOperations = {
  changePassword: {
    ...own,
    method: 'put',
    path: '/api/account/password',
    summary: 'Set a new password; every other session ends, with what it gave to apps',
    sensitive: true,
    body: named('PasswordChange', z.strictObject({ newPassword: z.string() })),
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
      z.record(z.string(), z.unknown()),
    ],
    refused: [404],
  },
  addPasskey: {
    ...own,
    method: 'post',
    path: '/api/account/passkeys',
    summary: 'Keep what the authenticator answered',
    sensitive: true,
    body: named(
      'PasskeyAnswer',
      z.strictObject({
        answer: z
          .record(z.string(), z.unknown())
          .meta({ description: 'RegistrationResponseJSON of WebAuthn.' }),
      }),
    ),
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
