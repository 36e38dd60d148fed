/**
 * The one error class that travels between rooms. A refusal that a caller expects is a return value;
 * everything else is thrown as an AppError, and the door (http/faults.ts, cli/) turns it into words.
 */

export type FieldError = { field: string; code: string }

type Options = {
  cause?: unknown
  fields?: FieldError[]
  /** One sentence for a developer or admin; never holds a secret. */
  detail?: string
  retryAfterSeconds?: number
}

/** `code` is public and stable (snake_case, also the phrase key `errors.<code>`); `cause` is for the log alone. */
export class AppError extends Error {
  readonly code: string
  readonly status: number
  readonly fields: FieldError[]
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: string, status: number, options: Options = {}) {
    super(options.detail ?? code, { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.status = status
    this.fields = options.fields ?? []
    this.detail = options.detail
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
