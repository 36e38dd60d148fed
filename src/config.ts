/**
 * The environment, read once and in one place. Every mistake is reported together, by name, before
 * anything starts; `deploy/env.example` explains each key. A secret may come as NAME_FILE.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError } from './config/config-error.ts'
import { isHostWithPort, isNetwork } from './config/networks.ts'
import { peekSecret, readSecrets, splitSecrets } from './config/secret-key.ts'

export type Config = {
  /** One string, no trailing slash. */
  issuer: string
  /** True when the issuer's host is not loopback. */
  production: boolean
  host: string
  port: number
  databaseUrl?: string
  /** Absolute path. */
  dataDir: string
  /** Newest first: the first seals, all open. */
  secretKeys: string[]
  smtpUrl?: string
  mailFrom: string
  trustedProxies: string[]
  tls?: { cert: string; key: string }
  mtlsOrigin?: string
  clientCertHeader?: string
  registration: 'open' | 'invite' | 'closed'
  passwordMinLength: number
  brandName: string
  supportEmail?: string
  jwksMaxAgeSeconds: number
  limitFactor: number
  allowPrivateTargets: string[]
  metricsPort?: number
  logLevel: string
  /** Started by npm: the server then ends with its parent, so that killing npm leaves nothing behind. */
  startedByNpm: boolean
}

const secretNames = ['SECRET_KEY', 'DATABASE_URL', 'SMTP_URL'] as const
const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

const list = z
  .string()
  .default('')
  .transform((text) => text.split(/[\s,]+/).filter((item) => item !== ''))
const wholeNumber = (min: number, max: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(min, `must be ${min} or more`)
    .max(max, `must be ${max} or less`)
const url = (protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that begins with ${protocols.map((name) => `${name}//`).join(' or ')}`,
  })
const network = z.string().refine(isNetwork, { error: 'must be an address or a CIDR range' })
const target = z.string().refine((text) => isNetwork(text) || isHostWithPort(text), {
  error: 'must be host:port or a CIDR range',
})

const schema = z.object({
  ISSUER: z.string().optional(),
  HOST: z.string().min(1).optional(),
  PORT: wholeNumber(1, 65_535).default(3000),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  DATA_DIR: z.string().min(1).default('./data'),
  SECRET_KEY: z.string().optional(),
  SMTP_URL: url(['smtp:', 'smtps:']).optional(),
  MAIL_FROM: z.string().optional(),
  TRUSTED_PROXIES: list.pipe(z.array(network)),
  TLS_CERT_FILE: z.string().optional(),
  TLS_KEY_FILE: z.string().optional(),
  MTLS_ORIGIN: url(['https:'])
    .transform((text) => text.replace(/\/$/, ''))
    .refine((text) => URL.parse(text)?.origin === text, 'must be scheme and host alone')
    .optional(),
  CLIENT_CERT_HEADER: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must be a header name')
    .transform((name) => name.toLowerCase())
    .optional(),
  REGISTRATION: z.enum(['open', 'invite', 'closed']).default('open'),
  PASSWORD_MIN_LENGTH: wholeNumber(8, 64).default(8),
  BRAND_NAME: z.string().trim().min(1).max(60).default('letuslearn'),
  SUPPORT_EMAIL: z.email('must be an email address').optional(),
  JWKS_MAX_AGE: wholeNumber(1, 86_400).default(3600),
  LIMIT_FACTOR: z.coerce
    .number({ error: 'must be a number' })
    .positive('must be above 0')
    .max(1_000_000, 'must be 1000000 or less')
    .default(1),
  ALLOW_PRIVATE_TARGETS: list.pipe(z.array(target)),
  METRICS_PORT: wholeNumber(1, 65_535).optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
})

/** Throws ConfigError with every mistake. On loopback it makes and keeps a secret in DATA_DIR. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const { problems, settings, secretKeys } = readAll(env)
  if (problems.length > 0) throw new ConfigError(problems)
  return { ...settings, secretKeys: secretKeys() }
}

/** For whoever looks for mistakes: never throws, makes nothing. A setting that is not usable has its default. */
export function examineConfig(env: NodeJS.ProcessEnv): {
  /** `secretKeys` is empty where there is none yet. */
  config: Config
  /** Each begins with the name of its setting. */
  problems: string[]
} {
  const { problems, settings } = readAll(env)
  const { SECRET_KEY: given } = parse(pick(env, ['SECRET_KEY']), [])
  const kept = settings.production ? undefined : peekSecret(settings.dataDir, problems)
  const secretKeys = splitSecrets(given ?? kept ?? '')
  const { port } = settings
  const issuer = URL.canParse(settings.issuer) ? settings.issuer : `http://localhost:${port}`
  return { config: { ...settings, issuer, secretKeys }, problems }
}

function readAll(env: NodeJS.ProcessEnv): {
  problems: string[]
  settings: Omit<Config, 'secretKeys'>
  secretKeys(): string[]
} {
  const problems: string[] = []
  const parsed = parse(env, problems)
  const issuer = parsed.ISSUER ?? `http://localhost:${parsed.PORT}`
  const production = checkIssuer(issuer, problems)
  if (production && !parsed.SECRET_KEY) {
    problems.push('SECRET_KEY: needed in production; make one with `openssl rand -base64 48`')
  }
  if (production && !parsed.SMTP_URL) {
    problems.push('SMTP_URL: needed in production, or nobody can prove an address')
  }
  if (production && !parsed.MAIL_FROM) {
    problems.push('MAIL_FROM: needed in production, the sender of our mails')
  }
  const mailFrom = readMailFrom(parsed.MAIL_FROM, problems)
  const tls = readTls(parsed, problems)
  const secretKeys = readSecrets(parsed, production, problems)
  const settings = omitUndefined({
    issuer,
    production,
    host: parsed.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
    port: parsed.PORT,
    databaseUrl: parsed.DATABASE_URL,
    dataDir: resolve(parsed.DATA_DIR),
    smtpUrl: parsed.SMTP_URL,
    mailFrom,
    trustedProxies: parsed.TRUSTED_PROXIES,
    tls,
    mtlsOrigin: parsed.MTLS_ORIGIN,
    clientCertHeader: parsed.CLIENT_CERT_HEADER,
    registration: parsed.REGISTRATION,
    passwordMinLength: parsed.PASSWORD_MIN_LENGTH,
    brandName: parsed.BRAND_NAME,
    supportEmail: parsed.SUPPORT_EMAIL,
    jwksMaxAgeSeconds: parsed.JWKS_MAX_AGE,
    limitFactor: parsed.LIMIT_FACTOR,
    allowPrivateTargets: parsed.ALLOW_PRIVATE_TARGETS,
    metricsPort: parsed.METRICS_PORT,
    logLevel: parsed.LOG_LEVEL,
    startedByNpm: env.npm_lifecycle_event !== undefined,
  })
  return { problems, settings, secretKeys }
}

/** Those settings alone, each as itself or as NAME_FILE. */
export function pick(env: NodeJS.ProcessEnv, names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => names.includes(name.replace(/_FILE$/, ''))),
  )
}

/** What is not usable has its default, and is told in `problems`, beginning with its name. */
export function parse(env: NodeJS.ProcessEnv, problems: string[]) {
  // An empty value in a compose file means "not set".
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  for (const name of secretNames) {
    const file = given[`${name}_FILE`]
    if (file === undefined) continue
    if (given[name] !== undefined) problems.push(`${name}: set it or ${name}_FILE, not both`)
    try {
      given[name] = readFileSync(file, 'utf8').trim()
    } catch (error) {
      problems.push(`${name}_FILE: cannot be read (${(error as Error).message})`)
    }
  }
  // Field by field: a mistake in one hides no mistake in another.
  const parsed: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(schema.shape)) {
    const { data, error } = field.safeParse(given[name])
    for (const issue of error?.issues ?? []) problems.push(`${name}: ${issue.message}`)
    parsed[name] = error ? field.safeParse(undefined).data : data
  }
  return parsed as z.infer<typeof schema>
}

/** The sender of our mails, which nobody needs to give on loopback. */
export function readMailFrom(given: string | undefined, problems: string[]): string {
  const mailFrom = given ?? 'accounts@localhost.test'
  if (!/^[^\s<>"@,;]+@[^\s<>"@,;]+$/.test(mailFrom)) {
    problems.push('MAIL_FROM: must be one bare email address')
  }
  return mailFrom
}

/** Returns whether this is production. */
export function checkIssuer(issuer: string, problems: string[]): boolean {
  if (!URL.canParse(issuer)) {
    problems.push('ISSUER: must be a URL such as https://id.example.org')
    return false
  }
  const { protocol, hostname, origin, username } = new URL(issuer)
  const production = !loopbackHost.test(hostname)
  // Clients compare issuers byte by byte, so only the spelling that a URL parser gives back is taken.
  if (issuer !== origin || username !== '') {
    problems.push(
      `ISSUER: must be scheme and host alone, without path or trailing slash (${origin})`,
    )
  }
  if (protocol !== 'https:' && protocol !== 'http:') problems.push('ISSUER: must be https')
  else if (production && protocol !== 'https:') {
    problems.push('ISSUER: must be https unless its host is loopback')
  }
  return production
}

function readTls(
  parsed: { TLS_CERT_FILE?: string | undefined; TLS_KEY_FILE?: string | undefined },
  problems: string[],
): { cert: string; key: string } | undefined {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile } = parsed
  if (certFile === undefined && keyFile === undefined) return undefined
  const read = (name: string, file: string | undefined): string => {
    if (file === undefined) {
      problems.push(`${name}: TLS_CERT_FILE and TLS_KEY_FILE go together`)
      return ''
    }
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      problems.push(`${name}: cannot be read (${(error as Error).message})`)
      return ''
    }
  }
  return { cert: read('TLS_CERT_FILE', certFile), key: read('TLS_KEY_FILE', keyFile) }
}

type Optional<T> = {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}
type Required_<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }

/** As JSON leaves it out: a member that is there has a value. */
export function omitUndefined<T extends object>(value: T): Required_<T> & Optional<T> {
  const kept = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(kept) as Required_<T> & Optional<T>
}
