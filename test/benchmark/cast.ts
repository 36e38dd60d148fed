/** Who takes part in a run: the same people, apps, API and keys on both sides. */
import type { SigningKey } from '../../src/oidc/signing-keys.ts'

export type Person = { id: string; username: string; email: string; name: string }

export type Credentials = { clientId: string; secret: string }

export type Cast = {
  keys: SigningKey[]
  people: Person[]
  /** Everybody's. */
  password: string
  /** A confidential app of our own: nobody is asked for consent. */
  app: Credentials & { redirectUri: string }
  /** Programs that call the API. */
  services: Credentials[]
  api: { identifier: string; scope: string; tokenLifetimeSeconds: number }
}

/** What the baseline is told and asked over its channel. */
export type BaselineOrder =
  | { order: 'start'; port: number; cast: Cast }
  /** Access tokens become known under more names, as clones of rows do in a database. */
  | { order: 'copy'; pairs: [token: string, copy: string][] }
  | { order: 'expire'; tokens: string[] }
