/** What keeps us from storing anything, in words for the person who runs the server. */

type Reason =
  /** No binaries for this machine, or their install script did not run. */
  | 'binaries'
  /** DATA_DIR cannot be used: not ours, not readable, made by another PostgreSQL. */
  | 'directory'
  /** The embedded database does not come up. */
  | 'start'
  /** The database was migrated by a newer release (RL-25). */
  | 'newer-schema'
  /** A migration failed; the database is as it was before. */
  | 'migration'

/** The message names the place and the fix. */
export class StorageError extends Error {
  readonly reason: Reason
  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StorageError'
    this.reason = reason
  }
}

/**
 * Why a statement failed, when the reason is the database as a whole and not the statement: `unreachable`
 * covers a server that is down, starting, full or read-only, and a pool that is used up. Otherwise undefined.
 */
export function unavailability(error: unknown): 'unreachable' | 'credentials' | Reason | undefined {
  if (error instanceof StorageError) return error.reason
  if (!(error instanceof Error)) return undefined
  const { code } = error as { code?: string }
  if (/^(28...|3D000|42501)$/.test(code ?? '')) return 'credentials'
  if (/^(08...|25006|53...|57P0[123]|57014)$/.test(code ?? '')) return 'unreachable'
  if (/^(ECONN|ENOENT$|ENOTFOUND|EAI_AGAIN|EHOST|ENETU|EPIPE|ETIMEDOUT)/.test(code ?? ''))
    return 'unreachable'
  // pg gives these no code.
  const words =
    /timeout exceeded when trying to connect|timeout expired|Connection terminated|Query read timeout|not queryable/
  return words.test(error.message) ? 'unreachable' : undefined
}

/** Whether the database refused a row because another has the same; `constraint` is its name in db/schema.sql. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  const { code, constraint: broken } = (error ?? {}) as { code?: string; constraint?: string }
  return code === '23505' && broken === constraint
}
