/** Runs a command in this process, with streams that remember. */
import { PassThrough, Writable } from 'node:stream'
import type { Io } from '../../src/cli/io.ts'
import { run } from '../../src/cli/program.ts'
import { createClientCheck } from '../../src/oidc/validate-client.ts'

export type Ran = { code: number; stdout: string; stderr: string }

export type Surroundings = {
  env?: Record<string, string>
  stdin?: string
  /** Both ends a terminal; `typed` is what the person types there. */
  terminal?: { columns?: number; typed?: string }
}

/** `url` is the database; what is `undefined` there is left to `env`. */
export function createIdp(url: string | undefined, common: Record<string, string> = {}) {
  return (argv: string[], surroundings: Surroundings = {}): Promise<Ran> =>
    runWith(argv, {
      ...surroundings,
      env: { ...(url ? { DATABASE_URL: url } : {}), ...common, ...surroundings.env },
    })
}

export async function runWith(
  argv: string[],
  { env = {}, stdin = '', terminal }: Surroundings,
): Promise<Ran> {
  const [stdout, stderr] = [collector(terminal), collector(terminal)]
  const input = Object.assign(
    new PassThrough(),
    terminal ? { isTTY: true, setRawMode: () => {} } : {},
  )
  input.end(terminal?.typed ?? stdin)
  const io: Io = { stdin: input, stdout: stdout.stream, stderr: stderr.stream, env }
  const code = await run(argv, io, createClientCheck)
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

function collector(terminal: Surroundings['terminal']) {
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  const shape = terminal ? { isTTY: true, columns: terminal.columns ?? 80 } : {}
  return { stream: Object.assign(stream, shape), text: () => text }
}
