/** One JSON line per event, on standard output, without secrets. Which fields a request logs is http/request-log.ts. */
import { pino } from 'pino'

export type Logger = pino.Logger

// Values are never logged on purpose; this is the second lock for objects that carry them.
const secretNames = [
  'password',
  'new_password',
  'secret',
  'client_secret',
  'code_verifier',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'handle',
  'authorization',
  'cookie',
  'set-cookie',
]

/** `destination` is for tests and the demo, which watch the lines. */
export function createLogger(options: {
  level: string
  destination?: { write(line: string): void }
}): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // A pg error carries its whole client: connection, statements and all.
    serializers: {
      err: (error: Error) => {
        const { client: _, ...rest } = pino.stdSerializers.err(error) as Record<string, unknown>
        return rest
      },
    },
    redact: {
      paths: secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
      censor: '[secret]',
    },
  }
  return pino(settings, options.destination ?? standardOutput())
}

/**
 * Lines leave in blocks, a tenth of a second late at most: a system call for each would cost a request more than its
 * statement does. What is left goes out when the process ends, and at once with a fatal line.
 */
function standardOutput() {
  return pino.destination({ dest: 1, sync: false, minLength: 12_288, periodicFlush: 100 })
}
