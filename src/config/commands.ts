/** What commands read of the environment: each its own settings, whose mistakes alone are reported. Nothing is made. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Config, checkIssuer, omitUndefined, parse, pick, readMailFrom } from '../config.ts'
import { ConfigError } from './config-error.ts'
import { readSecrets, secretFile } from './secret-key.ts'

const commandNames = [
  'ISSUER',
  'PORT',
  'DATABASE_URL',
  'DATA_DIR',
  'BRAND_NAME',
  'PASSWORD_MIN_LENGTH',
  'JWKS_MAX_AGE',
  'ALLOW_PRIVATE_TARGETS',
]

export type CommandConfig = Pick<
  Config,
  | 'issuer'
  | 'production'
  | 'databaseUrl'
  | 'dataDir'
  | 'brandName'
  | 'passwordMinLength'
  | 'jwksMaxAgeSeconds'
  | 'allowPrivateTargets'
>

/** What a command needs: it works without mail and secrets, reports only its own settings and makes nothing. */
export function readCommandConfig(env: NodeJS.ProcessEnv): CommandConfig {
  const problems: string[] = []
  const parsed = parse(pick(env, commandNames), problems)
  const issuer = parsed.ISSUER ?? `http://localhost:${parsed.PORT}`
  const production = checkIssuer(issuer, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return omitUndefined({
    issuer,
    production,
    databaseUrl: parsed.DATABASE_URL,
    dataDir: resolve(parsed.DATA_DIR),
    brandName: parsed.BRAND_NAME,
    passwordMinLength: parsed.PASSWORD_MIN_LENGTH,
    jwksMaxAgeSeconds: parsed.JWKS_MAX_AGE,
    allowPrivateTargets: parsed.ALLOW_PRIVATE_TARGETS,
  })
}

export type MailSettings = Pick<Config, 'smtpUrl' | 'mailFrom' | 'brandName' | 'dataDir'>

/** For a command that sends mail as the server does. */
export function readMailSettings(env: NodeJS.ProcessEnv): MailSettings {
  const problems: string[] = []
  const names = ['SMTP_URL', 'MAIL_FROM', 'BRAND_NAME', 'DATA_DIR', 'ISSUER', 'PORT']
  const parsed = parse(pick(env, names), problems)
  const production = checkIssuer(parsed.ISSUER ?? `http://localhost:${parsed.PORT}`, problems)
  for (const name of ['SMTP_URL', 'MAIL_FROM'] as const) {
    if (production && !parsed[name])
      problems.push(`${name}: needed here, the same as the server has`)
  }
  const mailFrom = readMailFrom(parsed.MAIL_FROM, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return omitUndefined({
    smtpUrl: parsed.SMTP_URL,
    mailFrom,
    brandName: parsed.BRAND_NAME,
    dataDir: resolve(parsed.DATA_DIR),
  })
}

/**
 * For a command that seals what the server must open: the server's own secret. `mayBeFirst`: before the first start of a
 * server on loopback it is made as that start would; only where database and secret lie together, so that none is made
 * beside a database that is sealed with another.
 */
export function readSecretKeys(env: NodeJS.ProcessEnv, { mayBeFirst = false } = {}): string[] {
  const { production, dataDir, databaseUrl } = readCommandConfig(env)
  const first = mayBeFirst && databaseUrl === undefined
  const problems: string[] = []
  const parsed = parse(pick(env, ['SECRET_KEY', 'DATA_DIR']), problems)
  if (!parsed.SECRET_KEY && production) {
    problems.push('SECRET_KEY: needed here, the same as the server has')
  } else if (!parsed.SECRET_KEY && !first && !existsSync(join(dataDir, secretFile))) {
    problems.push(
      `SECRET_KEY: not set, and ${dataDir} holds none: give the settings that the server has (DATA_DIR, or ISSUER and SECRET_KEY)`,
    )
  }
  const secretKeys = readSecrets(parsed, production, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return secretKeys()
}
