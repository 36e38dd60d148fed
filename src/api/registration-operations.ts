/** Registration as the OpenAPI document tells it; registrations.ts does it. */
import { z } from 'zod'
import type { Operations } from './operations.ts'
import {
  availability,
  begunRegistration,
  mailAnswer,
  passkeyAnswer,
  passkeyOptions,
  registration,
  registrationRequest,
  verificationRequest,
} from './schemas.ts'

const withHandle = [{ handle: [] }] as const
const tag = 'registration'
const id = z.uuid().meta({ description: 'From the answer to the beginning.' })

export const registrationOperations = {
  checkUsername: {
    method: 'get',
    path: '/api/registrations/usernames/{username}',
    tag,
    summary: 'Whether a username can be had, and if not, why, in words',
    params: { username: z.string().meta({ description: 'As the person typed it.' }) },
    answer: [200, 'The answer.', availability],
    refused: [403, 429],
  },
  beginRegistration: {
    method: 'post',
    path: '/api/registrations',
    tag,
    summary: 'Begin a registration: the answer is the same whether or not the address is known',
    body: registrationRequest,
    answer: [202, 'Begun. A mail is on its way unless a step has failed.', begunRegistration],
    refused: [403, 429, 503],
  },
  readRegistration: {
    method: 'get',
    path: '/api/registrations/{id}',
    tag,
    summary: 'Where a registration stands',
    params: { id },
    security: withHandle,
    answer: [200, 'Its state.', registration],
    refused: [404],
  },
  verifyRegistration: {
    method: 'post',
    path: '/api/registrations/{id}/verification',
    tag,
    summary: 'Prove the address: with the code and the handle, or with the token of the link alone',
    params: { id },
    security: [...withHandle, {}],
    body: verificationRequest,
    answer: [200, 'Verified, now or before.', registration],
    refused: [403, 404, 409, 429],
  },
  sendRegistrationMail: {
    method: 'post',
    path: '/api/registrations/{id}/mail',
    tag,
    summary: 'Ask for another mail; while the time is not up, none is sent',
    params: { id },
    security: withHandle,
    answer: [202, 'When another may be asked for.', mailAnswer],
    refused: [404, 409, 429],
  },
  firstPasskeyOptions: {
    method: 'post',
    path: '/api/registrations/{id}/passkey/options',
    tag,
    summary:
      'What navigator.credentials.create() takes, for who registered without a password and has proven the address by code',
    params: { id },
    security: withHandle,
    answer: [
      200,
      'PublicKeyCredentialCreationOptionsJSON; its challenge is good once, for five minutes.',
      passkeyOptions,
    ],
    refused: [404, 429],
  },
  addFirstPasskey: {
    method: 'post',
    path: '/api/registrations/{id}/passkey',
    tag,
    summary: 'Keep what the authenticator answered: the way in of the new account, within an hour',
    params: { id },
    security: withHandle,
    body: passkeyAnswer,
    answer: [201, 'There it is.', z.object({ id: z.uuid() })],
    refused: [404, 409],
  },
  retryRegistration: {
    method: 'post',
    path: '/api/registrations/{id}/retry',
    tag,
    summary: 'Go on from the last step after a failure',
    params: { id },
    security: withHandle,
    answer: [202, 'Where it stands now.', registration],
    refused: [404, 409, 429],
  },
} as const satisfies Operations
