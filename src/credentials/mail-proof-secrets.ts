/** What the mails of an account carry (reset, new address, second step), and what the browser that asked for one holds. */
import { equalBytes, type Keyring } from '../crypto.ts'
import type { ProofPurpose } from '../database/tables.ts'
import { mailedSecrets } from './mailed-secrets.ts'

type Mail = { id: string; purpose: ProofPurpose; emailCanonical: string; mailNumber: number }

const secrets = mailedSecrets('mail-proof')

export const deriveProof = (keyring: Keyring, mail: Mail) =>
  secrets.derive(keyring, mail.id, [
    mail.purpose,
    mail.id,
    mail.emailCanonical,
    String(mail.mailNumber),
  ])
export const deriveProofDecoy = (keyring: Keyring, { id, mailNumber }: Mail) =>
  secrets.decoy(keyring, [id, String(mailNumber)])
export const isProofCode = secrets.isCode

/** What the browser that asked holds, beside the row's id. */
export function proofHandle(keyring: Keyring, id: string): string {
  return keyring.mac('mail-proof-handle', id).toString('base64url')
}

export function isProofHandle(keyring: Keyring, id: string, handle: string): boolean {
  const given = Buffer.from(handle, 'base64url')
  return keyring.macs('mail-proof-handle', id).some((mac) => equalBytes(mac, given))
}
