/** What every act of an admin by a program needs, and how its handlers are written. */
import type { EngineCheck } from '../../clients/metadata.ts'
import type { Keyring } from '../../crypto.ts'
import type { Db } from '../../database/connection.ts'
import type { RegistrationDeps } from '../../registration/deps.ts'
import type { By } from '../../roles/may-grant.ts'
import type { AccountDeps } from '../account/context.ts'
import type { Call, Handlers, Operations } from '../operations.ts'

export type AdminDeps = Pick<
  AccountDeps,
  'config' | 'database' | 'keyring' | 'views' | 'bearer'
> & {
  registration: RegistrationDeps
  /** The protocol's own validation of an app. */
  engineCheck: EngineCheck
}

/** `by` is for rooms and the audit: the person behind the token, else the app itself. */
export type AdminCall<Table extends Operations, Id extends keyof Table> = Call<Table[Id]> & {
  /** A transaction where the operation is one that may be repeated. */
  db: Db
  by: By
  keyring: Keyring
}

/** As in operations.ts, with what an admin's act needs. */
export type AdminHandlers<Table extends Operations> = {
  [Id in keyof Table]: (call: AdminCall<Table, Id>) => ReturnType<Handlers<Table>[Id]>
}
