/** Runs the checks side by side, each with its time, and gives their findings in the order of the table. */
import type { Config } from '../config.ts'
import { type Check, checks } from './checks.ts'
import { broken, type Finding, skipped } from './finding.ts'
import { isWrong, type Patient } from './patient.ts'

/** For one check; those with more to do hurry by themselves. */
const usualMs = 20_000

/** Never throws, and ends. What is secret in the settings stands in no finding, whatever a check has read. */
export async function examine(
  patient: Patient,
  {
    offline = false,
    only = () => true,
    longestMs = usualMs,
  }: { offline?: boolean; only?: (check: Check) => boolean; longestMs?: number } = {},
): Promise<Finding[]> {
  const wanted = checks.filter(only)
  const findings = await Promise.all(
    wanted.map(async (check) => {
      const without = whyNot(check, patient, offline)
      if (without !== undefined) return [skipped(check.name, without)]
      return inTime(check, patient, longestMs)
    }),
  )
  return findings.flat().map((finding) => withoutSecrets(finding, patient.config))
}

function whyNot({ needs }: Check, patient: Patient, offline: boolean): string | undefined {
  if (needs.includes('network') && offline) return 'offline'
  if (needs.includes('issuer') && isWrong(patient, 'ISSUER')) return 'ISSUER is not usable'
  if (needs.includes('database') && !patient.database) return 'the database is not reachable'
  return undefined
}

async function inTime(check: Check, patient: Patient, longestMs: number): Promise<Finding[]> {
  const late = Promise.withResolvers<Finding[]>()
  const timer = setTimeout(
    () => late.resolve([skipped(check.name, `not done within ${longestMs / 1000} seconds`)]),
    longestMs,
  )
  const running = check.run(patient).catch((error: unknown) => [
    broken(check.name, `could not be looked at: ${(error as Error).message}`, {
      expected: 'an answer',
      fix: 'mend what is broken above, then: idp doctor',
    }),
  ])
  try {
    return await Promise.race([running, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** The second lock: no check means to show a key or password of the settings. */
export function withoutSecrets(finding: Finding, config: Config): Finding {
  const secrets = secretsOf(config)
  const clean = (text: string) =>
    secrets.reduce((shown, secret) => shown.replaceAll(secret, '…'), text)
  const { expected, fix } = finding
  return {
    ...finding,
    seen: clean(finding.seen),
    ...(expected === undefined ? {} : { expected: clean(expected) }),
    ...(fix === undefined ? {} : { fix: clean(fix) }),
  }
}

function secretsOf(config: Config): string[] {
  const passwords = [config.databaseUrl, config.smtpUrl].flatMap((address) => {
    const password = address === undefined ? undefined : URL.parse(address)?.password
    return password ? [password, safelyDecoded(password)] : []
  })
  return [...config.secretKeys, ...passwords].filter((secret) => secret.length >= 4)
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
