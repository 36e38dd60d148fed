/** SECRET_KEY: given, or on loopback made once and kept in DATA_DIR. */
import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigError } from './config-error.ts'

export const secretFile = 'secret-key'

/** Those that are given, else the one that is kept; made, on loopback, when the result is called. */
export function readSecrets(
  parsed: { SECRET_KEY?: string | undefined; DATA_DIR: string },
  production: boolean,
  problems: string[],
): () => string[] {
  const given = splitSecrets(parsed.SECRET_KEY ?? '')
  if (given.some((secret) => secret.length < 32 || new Set(secret).size < 8)) {
    problems.push('SECRET_KEY: too weak; each key needs 32 random characters or more')
  }
  if (given.length > 0 || production) return () => given
  // Made only once everything else is right, so that a refused start leaves nothing behind.
  return () => [keptSecret(resolve(parsed.DATA_DIR))]
}

/** Newest first. */
export function splitSecrets(text: string): string[] {
  return text.split(/[\s,]+/).filter((secret) => secret !== '')
}

/** The one that is kept, without making any. */
export function peekSecret(dataDir: string, problems: string[]): string | undefined {
  try {
    return readFileSync(join(dataDir, secretFile), 'utf8').trim()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') problems.push(`DATA_DIR: cannot be read (${message})`)
    return undefined
  }
}

function keptSecret(dataDir: string): string {
  const file = join(dataDir, secretFile)
  const draft = `${file}.${process.pid}`
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    if (!existsSync(file)) {
      writeFileSync(draft, randomBytes(48).toString('base64url'), { mode: 0o600 })
      // A hard link appears whole or not at all: of several starting processes one wins.
      linkSync(draft, file)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new ConfigError([`DATA_DIR: cannot be written (${(error as Error).message})`])
    }
  } finally {
    rmSync(draft, { force: true })
  }
  const secret = readFileSync(file, 'utf8').trim()
  if (secret.length < 32) throw new ConfigError([`SECRET_KEY: ${file} is empty or cut; restore it`])
  return secret
}
