/** What a verification mail carries, bound to registration, address and mail: each of them another, another code. */
import { mailedSecrets } from '../credentials/mailed-secrets.ts'
import type { Keyring } from '../crypto.ts'
import type { Registration } from './deps.ts'

type Mail = Pick<Registration, 'id' | 'mailNumber' | 'emailCanonical'>

const secrets = mailedSecrets('verification')
const partsOf = ({ id, emailCanonical, mailNumber }: Mail) => [
  id,
  emailCanonical,
  String(mailNumber),
]

export const deriveSecrets = (keyring: Keyring, mail: Mail) =>
  secrets.derive(keyring, mail.id, partsOf(mail))
export const deriveDecoy = (keyring: Keyring, mail: Mail) => secrets.decoy(keyring, partsOf(mail))
export const { isCode } = secrets
