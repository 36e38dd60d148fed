/** What a command takes in besides its arguments: secrets, files, a yes. A secret is never an argument. */
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { CliError, exitCodes } from './errors.ts'
import type { Io } from './io.ts'

const longestInput = 1_000_000

/** For a flag that may be given several times. */
export function collect(value: string, previous: string[] | false | undefined): string[] {
  return [...(previous || []), value]
}

/** The whole of standard input, without the line end that `echo` adds. At a terminal it asks, and shows nothing. */
export async function readSecret(io: Io, question: string): Promise<string> {
  const secret = io.stdin.isTTY ? await askHidden(io, question) : await readAll(io)
  if (secret === '') {
    throw new CliError(exitCodes.usage, 'Nothing came on standard input.', [
      'Send the secret there, for example: idp … < secret.txt',
    ])
  }
  return secret
}

/** A file's text; `-` is standard input. */
export async function readText(io: Io, path: string): Promise<string> {
  if (path === '-') return readAll(io)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CliError(exitCodes.usage, `${path} cannot be read: ${(error as Error).message}`)
  }
}

/** True for a yes at the terminal. Without a terminal nobody is asked: the command ends with what to add. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  if (!io.stdin.isTTY || !io.stderr.isTTY) {
    throw new CliError(
      exitCodes.usage,
      'This cannot be undone, and there is no terminal to ask at.',
      ['Add --yes if you mean it.'],
    )
  }
  const dialogue = createInterface({ input: io.stdin, output: io.stderr })
  try {
    return /^y(es)?$/i.test((await dialogue.question(`${question} [y/N] `)).trim())
  } finally {
    dialogue.close()
  }
}

/** Of a flag that says how many. Throws a mistake of use for what is no whole number from 1 to `most`. */
export function readCount(flag: string, text: string, most: number): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= most) return count
  throw new CliError(exitCodes.usage, `${flag} cannot be “${text}”.`, [
    `Give a number from 1 to ${most}.`,
  ])
}

/** `30s`, `15m`, `12h`, `7d` or a bare number of seconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text)
  if (!match) return undefined
  const units: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }
  return Number(match[1]) * (units[match[2] ?? ''] ?? 1)
}

async function readAll(io: Io): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of io.stdin) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > longestInput) throw new CliError(exitCodes.usage, 'Standard input is too long.')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}

async function askHidden(io: Io, question: string): Promise<string> {
  io.stderr.write(question)
  io.stdin.setEncoding('utf8')
  io.stdin.setRawMode?.(true)
  let typed = ''
  try {
    for await (const chunk of io.stdin) {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n') return typed
        if (key === '\x03' || key === '\x04')
          throw new CliError(exitCodes.failed, 'Stopped; nothing was changed.')
        typed = key === '\x7f' || key === '\b' ? [...typed].slice(0, -1).join('') : typed + key
      }
    }
    return typed
  } finally {
    io.stdin.setRawMode?.(false)
    io.stderr.write('\n')
  }
}
