/** Runs the checks side by side, each with its time, and gives their findings in the order of the table. */
import { type Check, checks } from './checks.ts'
import { broken, type Finding, skipped } from './finding.ts'
import { isWrong, type Patient } from './patient.ts'

/** For one check; those with more to do hurry by themselves. */
const longestMs = 20_000

/** Never throws, and ends. What is secret in the settings stands in no finding, whatever a check has read. */
export async function examine(
  patient: Patient,
  {
    offline = false,
    only = () => true,
  }: { offline?: boolean; only?: (check: Check) => boolean } = {},
): Promise<Finding[]> {
  const wanted = checks.filter(only)
  const findings = await Promise.all(
    wanted.map(async (check) => {
      const without = whyNot(check, patient, offline)
      if (without !== undefined) return [skipped(check.name, without)]
      return inTime(check, patient)
    }),
  )
  const secrets = secretsOf(patient)
  return findings.flat().map((finding) => withoutSecrets(finding, secrets))
}

function whyNot({ needs }: Check, patient: Patient, offline: boolean): string | undefined {
  if (needs.includes('network') && offline) return 'offline'
  if (needs.includes('issuer') && isWrong(patient, 'ISSUER')) return 'ISSUER is not usable'
  if (needs.includes('database') && !patient.database) return 'the database is not reachable'
  return undefined
}

async function inTime(check: Check, patient: Patient): Promise<Finding[]> {
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

/** The second lock: no check means to show any of these. */
function secretsOf({ config }: Patient): string[] {
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

function withoutSecrets(finding: Finding, secrets: string[]): Finding {
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
