/** Runs a command of `idp` as an admin does: a process of its own, beside the server. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../cli.ts', import.meta.url))

/** Returns what it wrote. Throws with its complaints when it did not end well. */
export async function idp(
  env: Record<string, string>,
  args: string[],
  input = '',
): Promise<string> {
  const command = spawn(process.execPath, [cli, ...args], { env })
  // A command that is refused may end before it has read.
  command.stdin.on('error', () => {}).end(input)
  const [output, words, [code]] = await Promise.all([
    text(command.stdout),
    text(command.stderr),
    once(command, 'exit'),
  ])
  if (code === 0) return output
  throw new Error(`idp ${args.join(' ')} ended with ${code}: ${output}${words}`.trim())
}
