/**
 * The provider as an operator runs it: `npm start` over TLS with a certificate of its own, everything registered by
 * `npx idp`, people who come by pages without JavaScript. The conformance suite of the OpenID Foundation asks for https
 * everywhere, so there is nothing else here. The database is touched to let time pass, and for nothing else.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, vi } from 'vitest'
import { type Made, makeAuthority, makeCertificate } from '../support/certificates.ts'
import { createDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/server.ts'

// A whole program starts here, beside others: a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const top = fileURLToPath(new URL('../../', import.meta.url))
const { PATH = '', HOME = '' } = process.env

export type Provider = {
  origin: string
  /** Where clients with certificates go (RFC 8705 §5). */
  certificateOrigin: string
  /** Issued the provider's certificate, and those of apps that listen. */
  authority: Made
  directory: string
  database: TestDatabase
  metadata: Record<string, unknown> & { scopes_supported: string[]; claims_supported: string[] }
  /** Runs `npx idp` and gives back what it wrote. */
  idp(args: string[], input?: string): Promise<Ran>
}

type Ran = { code: number; stdout: string; stderr: string }

/** Starts it on a database of its own and waits until it can serve. `env` as for `npm start`. */
export async function startProvider(env: Record<string, string> = {}): Promise<Provider> {
  const database = await createDatabase()
  const directory = mkdtempSync(join(tmpdir(), 'idp-conformance-'))
  const authority = trustAuthority()
  const port = await freePort()
  const origin = `https://localhost:${port}`
  const certificateOrigin = `https://127.0.0.1:${port}`
  const site = certify(authority)
  const settings = {
    PATH,
    HOME,
    PORT: String(port),
    ISSUER: origin,
    DATABASE_URL: database.url,
    DATA_DIR: directory,
    TLS_CERT_FILE: write('cert.pem', site.cert),
    TLS_KEY_FILE: write('key.pem', site.key),
    // For apps on this machine that the provider calls.
    NODE_EXTRA_CA_CERTS: write('ca.pem', authority.cert),
    MTLS_ORIGIN: certificateOrigin,
    LIMIT_FACTOR: '1000',
    ...env,
  }
  await startByNpm(settings, origin)
  const answer = await fetch(`${origin}/.well-known/openid-configuration`)
  return {
    ...{ origin, certificateOrigin, authority, directory, database },
    metadata: (await answer.json()) as Provider['metadata'],
    idp: (args, input) => runCommand(settings, args, input),
  }

  function write(name: string, content: string): string {
    const path = join(directory, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
}

async function startByNpm(settings: Record<string, string>, origin: string): Promise<void> {
  const server = spawn('npm', ['start'], { cwd: top, env: settings })
  let output = ''
  server.stdout.on('data', (chunk) => (output += chunk))
  server.stderr.on('data', (chunk) => (output += chunk))
  const ended = once(server, 'close')
  afterAll(async () => {
    server.kill('SIGTERM')
    const late = setTimeout(() => server.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(late)
    rmSync(String(settings.DATA_DIR), { recursive: true, force: true })
  })
  const giveUpAt = Date.now() + 60_000
  while ((await fetch(`${origin}/readyz`).catch(() => undefined))?.status !== 200) {
    if (server.exitCode !== null || Date.now() > giveUpAt) throw new Error(`not ready\n${output}`)
    await sleep(50)
  }
}

async function runCommand(env: Record<string, string>, args: string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const command = execFile('npx', ['idp', ...args], { cwd: top, env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
    command.stdin?.on('error', () => {}).end(input)
  })
}

/** Made for this file alone; everything here trusts it until the file ends. */
function trustAuthority(): Made {
  const authority = makeAuthority()
  const usual = getCACertificates('default')
  setDefaultCACertificates([...usual, authority.cert])
  afterAll(() => setDefaultCACertificates(usual))
  return authority
}

/** For whoever listens on this machine. */
export function certify(issuer: Made): Made {
  const alternatives = [{ dns: 'localhost' }, { ip: '127.0.0.1' }]
  return makeCertificate({ subject: [['CN', 'localhost']], issuer, alternatives })
}
