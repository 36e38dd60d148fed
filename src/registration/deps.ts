/** What the functions of this room are given by app.ts or a command, and what they tell whoever measures. */

import type { Selectable } from 'kysely'
import type { Config } from '../config.ts'
import type { BreachedPasswords } from '../credentials/breached-passwords.ts'
import type { Hasher } from '../credentials/password-hasher.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { RegistrationStatus, Tables } from '../database/tables.ts'
import type { ProvisioningStatus } from './machine.ts'

export type Registration = Selectable<Tables['registrations']>

/**
 * Work between the account and its verification mail. It runs in the transaction of its transition; what it
 * does outside the database must be repeatable, and undone by itself when it throws. What it throws is
 * stored as the registration's error: an AppError's code, else `internal`.
 */
export type ProvisioningStep = (
  trx: Db,
  person: { accountId: string; username: string; name: string },
) => Promise<void>

export type Provisioning = Partial<Record<ProvisioningStatus, ProvisioningStep>>

export type RegistrationObserver = {
  /** `seconds` since the status before. */
  transition?(from: RegistrationStatus | null, to: RegistrationStatus, seconds: number): void
  /** `seconds` from the beginning to the end. */
  finished?(status: 'verified' | 'failed', seconds: number): void
  /** For the log: what a failed step threw, unless it was a refusal such as a taken name. */
  fault?(error: unknown, step: RegistrationStatus): void
}

export type RegistrationDeps = {
  /** Not a transaction: each step commits on its own, and so does each counted guess. */
  db: Db
  keyring: Keyring
  hasher: Hasher
  /** Absent where nobody is to be asked. */
  breached?: Pick<BreachedPasswords, 'has'>
  config: Pick<Config, 'issuer' | 'brandName' | 'passwordMinLength' | 'registration'>
  provisioning?: Provisioning
  observer?: RegistrationObserver
}

/** A registration is always named together with its secret handle; one without the other finds nothing. */
export type RegistrationKey = { id: string; handle: string }
