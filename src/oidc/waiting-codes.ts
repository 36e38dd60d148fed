/**
 * Device codes (RFC 8628) and backchannel requests (CIBA) in storage: both wait for a person while their app asks again
 * and again. Only hashes of what apps and people present are kept; what has to be said once more is sealed.
 */
import { errors, Provider } from 'oidc-provider'
import { equalBytes, type Keyring, sha256 } from '../crypto.ts'
import type { Row } from '../sessions/artefacts.ts'
import { type Found, type Queryable, read } from '../sessions/reads.ts'
import type { Write } from '../sessions/writes.ts'
import { type Payload, toPayload } from './records.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** Only a hash of the user code is stored; the device code is sealed under it for the way back. */
export function keepUserCode(keyring: Keyring, id: string, row: Row): void {
  const { userCode, ...rest } = row.rest as Payload
  row.rest = rest
  if (typeof userCode !== 'string') throw new Error('a new device code has a user code')
  row.user_code_hash = sha256(userCode)
  row.id_sealed = keyring.seal('device-code', userCode, id)
}

/** The device code behind what a person typed, as the engine wants it. */
export async function findByUserCode(
  { reads, keyring }: { reads: Queryable; keyring: Keyring },
  unit: UnitOfWork,
  userCode: string,
): Promise<Payload | undefined> {
  const { token } = await read(reads, 'deviceCode', [sha256(userCode)])
  if (!token) return undefined
  const id = keyring.open('device-code', userCode, token.id_sealed as Buffer).toString()
  const payload = { ...toPayload('DeviceCode', token, id), userCode }
  unit.known.set(`DeviceCode:${id}`, Promise.resolve(payload))
  // Whoever has confirmed it may come back to it, after a lost page for instance; nobody else may.
  if (token.browser === null || !unit.browser?.names().includes(String(token.browser))) {
    return payload
  }
  const { inFlight: _, ...again } = payload as Payload
  return again
}

/**
 * What became of a code that was there: written only while nobody has decided otherwise. Undefined for a browser that
 * has lost its way: it may begin again, and the device is not told.
 */
export function decision(unit: UnitOfWork, id: string, row: Row): Write | undefined {
  const { grant_id, account_id, session_uid, expires_with_session, scope } = row
  const { userCode: _, ...rest } = row.rest as Payload
  if (rest.error === 'invalid_request') return undefined
  const browser = unit.browser?.name() ?? null
  return {
    kind: 'decide',
    on: 'device_codes',
    idHash: sha256(id),
    row: { grant_id, account_id, session_uid, expires_with_session, scope, rest, browser },
    browsers: unit.browser?.names() ?? [],
  }
}

type Waiting = 'DeviceCode' | 'BackchannelAuthenticationRequest'

/**
 * The app asks whether the person has decided. Throws `slow_down` for its own question before its time, and
 * `invalid_grant` without the verifier of a challenge that the device sent (DF-07).
 */
export function polledPayload(model: Waiting, found: Found, id: string): Payload | undefined {
  const row = found.token
  if (!row) return undefined
  const { client, body } = Provider.ctx?.oidc ?? {}
  const payload = toPayload(model, row, id)
  if (row.client_id !== client?.clientId) return payload
  if (found.hurried) throw new errors.SlowDown()
  const { codeChallenge } = (payload.deviceInfo ?? {}) as { codeChallenge?: string }
  const { code_verifier: verifier } = (body ?? {}) as { code_verifier?: unknown }
  if (codeChallenge !== undefined || verifier !== undefined) {
    const given = sha256(typeof verifier === 'string' ? verifier : '')
    if (!equalBytes(given, Buffer.from(codeChallenge ?? '', 'base64url'))) {
      throw new errors.InvalidGrant('PKCE verification failed')
    }
  }
  return payload
}

/**
 * What of a backchannel request is never searched and never shown stays out of the row or is sealed: the app's own
 * token for the ping, and the hint with which it named the person.
 */
export function keepRequestSecrets(keyring: Keyring, id: string, row: Row): void {
  const { params, ...rest } = row.rest as { params?: Payload }
  const {
    client_notification_token: token,
    id_token_hint: _hint,
    login_hint: _login,
    request: _request,
    ...kept
  } = params ?? {}
  row.rest = { ...rest, ...(params ? { params: kept } : {}) }
  row.id_sealed = sealNotification(keyring, { id, token: token as string | undefined })
}

export type Notification = { id: string; token?: string | undefined }

function sealNotification(keyring: Keyring, notification: Notification): Buffer {
  const row = sha256(notification.id).toString('hex')
  return keyring.seal('backchannel-request', row, JSON.stringify(notification))
}

/** `idHash` is the row's key. */
export function openNotification(keyring: Keyring, idHash: Buffer, sealed: Buffer): Notification {
  const opened = keyring.open('backchannel-request', idHash.toString('hex'), sealed)
  return JSON.parse(opened.toString()) as Notification
}

/** Members of a flow that open something elsewhere, and what they are in `interactions.rest`. */
const secretsOfFlow = {
  deviceCode: { purpose: 'device-code-of-flow', kept: 'deviceCode' },
  // The id of a pushed request. In flows of before it stands under its own name, in clear.
  parJti: { purpose: 'pushed-request-of-flow', kept: 'parJtiSealed' },
} as const
type SecretOfFlow = keyof typeof secretsOfFlow
const membersOfFlow = Object.keys(secretsOfFlow) as SecretOfFlow[]

/** A flow of ours must not hold them in clear: the device's code, the id of what an app has pushed. */
export function sealSecretsOfFlow(keyring: Keyring, flowId: string, rest: Payload): void {
  const row = sha256(flowId).toString('hex')
  for (const member of membersOfFlow) {
    const value = rest[member]
    if (typeof value !== 'string') continue
    const { purpose, kept } = secretsOfFlow[member]
    delete rest[member]
    rest[kept] = keyring.seal(purpose, row, value).toString('base64url')
  }
}

export function openSecretsOfFlow(keyring: Keyring, flowId: string, payload: Payload): Payload {
  const row = sha256(flowId).toString('hex')
  const opened: Payload = { ...payload }
  for (const member of membersOfFlow) {
    const { purpose, kept } = secretsOfFlow[member]
    const sealed = payload[kept]
    if (typeof sealed !== 'string') continue
    delete opened[kept]
    opened[member] = keyring.open(purpose, row, Buffer.from(sealed, 'base64url')).toString()
  }
  return opened
}
