/**
 * What a browser brings back from an authenticator, read strictly and verified by the steps of WebAuthn §7.1 and §7.2.
 * Nothing here looks at a row: challenges are spent and credentials found by the callers.
 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { z } from 'zod'
import type { RelyingParty } from './passkey-domain.ts'

/** EdDSA, ES256, RS256 (COSE), the best first: what is offered, and what is taken (WA-08). */
export const algorithms = [-8, -7, -257]

/** Loaded where somebody uses a passkey: at rest the house does without. */
export const webauthn = () => import('@simplewebauthn/server')

const base64url = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[\w-]+$/)

// 1,023 bytes at the most (§4, Credential ID).
const credentialId = base64url(1364)
const common = { id: credentialId, rawId: credentialId, type: z.literal('public-key') }
const clientExtensionResults = z.record(z.string(), z.unknown()).default({})

const registration = z.object({
  ...common,
  clientExtensionResults,
  response: z.object({
    clientDataJSON: base64url(4000),
    attestationObject: base64url(16_000),
    transports: z.array(z.string().max(32)).max(10).optional(),
  }),
})

const authentication = z.object({
  ...common,
  clientExtensionResults,
  response: z.object({
    clientDataJSON: base64url(4000),
    authenticatorData: base64url(4000),
    signature: base64url(4000),
    userHandle: base64url(128).nullish(),
  }),
})

const clientData = z.object({
  challenge: base64url(128),
  crossOrigin: z.literal(false).optional(),
  topOrigin: z.undefined().optional(),
})

export type Answer<T> = T & { challenge: string }
export type RegistrationAnswer = Answer<{ response: RegistrationResponseJSON }>
export type AuthenticationAnswer = Answer<{ response: AuthenticationResponseJSON }>

/** `text` is JSON from outside; undefined for anything that no browser sends, a frame of another site included (WA-04). */
export function readRegistration(text: string): RegistrationAnswer | undefined {
  const response = parse(text, registration)
  const challenge = response && challengeIn(response.response.clientDataJSON)
  return challenge
    ? { challenge, response: response as unknown as RegistrationResponseJSON }
    : undefined
}

export function readAuthentication(text: string): AuthenticationAnswer | undefined {
  const response = parse(text, authentication)
  const challenge = response && challengeIn(response.response.clientDataJSON)
  return challenge
    ? { challenge, response: response as unknown as AuthenticationResponseJSON }
    : undefined
}

function challengeIn(encoded: string): string | undefined {
  return parse(Buffer.from(encoded, 'base64url').toString(), clientData)?.challenge
}

function parse<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    const found = schema.safeParse(JSON.parse(text)).data
    // The two are one id in two forms; rows are found by one and signatures checked under the other (WA-11).
    const { id, rawId } = (found ?? {}) as { id?: string; rawId?: string }
    return id === rawId ? found : undefined
  } catch {
    return undefined
  }
}

export type NewCredential = {
  credentialId: Buffer
  publicKey: Buffer
  counter: number
  transports: string[]
  backupEligible: boolean
  backedUp: boolean
  aaguid: string
}

const transports = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']

/** What was made (§7.1). Throws on whatever does not fit; the reason is for the audit trail alone. */
export async function verifyRegistration(
  { id: expectedRPID, origin }: RelyingParty,
  { response, challenge }: RegistrationAnswer,
): Promise<NewCredential> {
  const { verifyRegistrationResponse } = await webauthn()
  const { verified, registrationInfo: made } = await verifyRegistrationResponse({
    response,
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID,
    requireUserVerification: true,
    supportedAlgorithmIDs: algorithms,
  })
  if (!verified || !made) throw new Error('the attestation does not verify')
  if (made.credential.id !== response.id) throw new Error('the credential has two ids')
  return {
    credentialId: Buffer.from(made.credential.id, 'base64url'),
    publicKey: Buffer.from(made.credential.publicKey),
    counter: made.credential.counter,
    transports: (response.response.transports ?? []).filter((name) => transports.includes(name)),
    backupEligible: made.credentialDeviceType === 'multiDevice',
    backedUp: made.credentialBackedUp,
    aaguid: made.aaguid,
  }
}

export type Assertion = { counter: number; backupEligible: boolean; backedUp: boolean }

/** What was signed (§7.2), the counter aside, which its row judges. Throws as `verifyRegistration`. */
export async function verifyAuthentication(
  { id: expectedRPID, origin }: RelyingParty,
  { response, challenge }: AuthenticationAnswer,
  credential: { publicKey: Buffer },
): Promise<Assertion> {
  const { verifyAuthenticationResponse } = await webauthn()
  const { verified, authenticationInfo: given } = await verifyAuthenticationResponse({
    response,
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID,
    requireUserVerification: true,
    credential: {
      id: response.id,
      publicKey: new Uint8Array(credential.publicKey),
      counter: 0,
    },
  })
  if (!verified) throw new Error('the signature does not verify')
  return {
    counter: given.newCounter,
    backupEligible: given.credentialDeviceType === 'multiDevice',
    backedUp: given.credentialBackedUp,
  }
}
