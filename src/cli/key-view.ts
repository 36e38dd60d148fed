/** How a signing key looks to people, and why it stays as it is. */
import type { Keys } from '../oidc/key-acts.ts'
import type { KeyView } from '../oidc/key-times.ts'
import { CliError, exitCodes } from './errors.ts'

const untilWords = {
  next: 'may sign from',
  current: 'signs until',
  previous: 'published until',
  retired: 'known at sign-out until',
}

export function untilInWords({ state, until }: KeyView): string {
  return `${untilWords[state]} ${toTheSecond(until)}`
}

/** Rounded up: what is promised for that second holds in it. */
export function toTheSecond(date: Date): string {
  const whole = new Date(Math.ceil(date.getTime() / 1000) * 1000)
  return `${whole.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

function inTime(seconds: number): string {
  const units: [number, string][] = [
    [86_400, 'days'],
    [3600, 'hours'],
    [60, 'minutes'],
  ]
  const [unit, name] = units.find(([size]) => seconds >= 2 * size) ?? [1, 's']
  return `in ${Math.ceil(seconds / unit)} ${name}`
}

export function tooEarly(waiting: KeyView[], { jwksMaxAgeSeconds }: Keys): CliError {
  const last = waiting.toSorted((a, b) => b.secondsLeft - a.secondsLeft)[0] as KeyView
  return new CliError(
    exitCodes.refused,
    `The next ${last.alg} key may sign from ${toTheSecond(last.until)} (${inTime(last.secondsLeft)}): until then an app may hold a key set without it (JWKS_MAX_AGE, ${jwksMaxAgeSeconds} s).`,
    ['Run it again then. If the current key leaked: idp keys rotate --now'],
  )
}

export function mayNotRetire(reason: 'stands-by' | 'signs' | 'alive', key: KeyView): CliError {
  const leaked = `If it leaked: idp keys retire ${key.kid} --now`
  if (reason === 'signs') {
    return new CliError(exitCodes.refused, `${key.kid} signs ${key.alg} tokens.`, [
      `Let the next one sign first: idp keys rotate --alg ${key.alg}`,
      leaked,
    ])
  }
  if (reason === 'stands-by') {
    return new CliError(exitCodes.refused, `${key.kid} is the next ${key.alg} key.`, [leaked])
  }
  return new CliError(
    exitCodes.refused,
    `Tokens that ${key.kid} signed may be alive until ${toTheSecond(key.until)} (${inTime(key.secondsLeft)}).`,
    ['It leaves the key set by itself afterwards.', leaked],
  )
}

export function believedUntil({ jwksMaxAgeSeconds }: Keys): string {
  return `What it signed is refused here within two seconds, and elsewhere when apps read the key set anew: within ${jwksMaxAgeSeconds} s.`
}
