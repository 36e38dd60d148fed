/** `idp settings get update`: what an operator changes while everything runs; the rest is in the environment. */
import { type Command, Option } from 'commander'
import { type Branding, changeBranding, readBranding } from '../branding.ts'
import {
  isSecondFactor,
  type SecondFactor,
  type SecondFactorTime,
  secondFactors,
  secondFactorTimes,
} from '../clients/second-factor.ts'
import {
  type BreachSetting,
  changeBreachSetting,
  publicRanges,
  readBreachSetting,
  readRangeAddress,
} from '../credentials/breached-passwords.ts'
import { changeSignInPolicy, readSignInPolicy } from '../credentials/policy-setting.ts'
import type { SignInPolicy } from '../credentials/sign-in-policy.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import {
  type AuditRetention,
  changeAuditRetention,
  readAuditRetention,
} from '../settings/audit-retention.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { parseDuration } from './input.ts'
import type { Output } from './output.ts'

type Flags = {
  secondFactor?: SecondFactorTime
  secondFactors?: string
  rememberDays?: string
  breachedPasswords?: string
  auditRetention?: string
  brandName?: string
  supportEmail?: string
  json?: boolean
}

export function addSettings(program: Command, context: Context): void {
  const settings = program
    .command('settings')
    .helpCommand(false)
    .summary('what is asked of everybody')
    .description('Settings that a running server takes on within two seconds.')
  withExamples(
    settings
      .command('get')
      .summary('as they are now')
      .description('Shows every setting.')
      .option('--json', 'print JSON')
      .action((flags: Flags) =>
        withDatabase(context, async ({ db, out }) => show(out, await readAll(db), flags)),
      ),
    [['settings get', 'as they are now']],
  )
  withExamples(
    settings
      .command('update')
      .summary('change what is named')
      .description('Changes what is named; the rest stays. An app may have it otherwise.')
      .addOption(
        new Option('--second-factor <when>', 'when a second factor is asked for').choices(
          secondFactorTimes,
        ),
      )
      .option('--second-factors <list>', `which count: of ${secondFactors.join(',')}`)
      .option('--remember-days <days>', 'for how long a browser may stand for one; 0 for never')
      .option(
        '--breached-passwords <where>',
        'on (Have I Been Pwned), off, or the address of a range service',
      )
      .option('--audit-retention <time>', 'how long the audit trail is kept, or never to end it')
      .option('--brand-name <name>', 'on pages and mails; default for BRAND_NAME')
      .option('--support-email <address>', 'whom people may ask; default for SUPPORT_EMAIL')
      .option('--json', 'print JSON')
      .action((flags: Flags) => update(context, flags)),
    [
      ['settings update --second-factor always', 'who has none sets one up at the next sign-in'],
      ['settings update --second-factors totp,recovery-code,mail-code', 'codes by mail count too'],
      ['settings update --remember-days 0', 'ask each time'],
      ['settings update --audit-retention 400d', 'what is older is removed'],
      [
        'settings update --breached-passwords on',
        'new passwords are looked up among stolen ones; five characters of a hash leave',
      ],
    ],
  )
}

function update(context: Context, flags: Flags): Promise<void> {
  const change: Partial<SignInPolicy> = {
    ...(flags.secondFactor === undefined ? {} : { when: flags.secondFactor }),
    ...(flags.secondFactors === undefined ? {} : { factors: readFactors(flags.secondFactors) }),
    ...(flags.rememberDays === undefined ? {} : { rememberDays: readDays(flags.rememberDays) }),
  }
  const breached = readBreached(flags.breachedPasswords)
  const retention = readRetention(flags.auditRetention)
  const branding = brandingOf(flags)
  if (Object.keys(change).length === 0 && !breached && !retention && !branding) {
    throw new CliError(exitCodes.usage, 'What is to change?', ['See: idp settings update --help'])
  }
  return withDatabase(context, async ({ db, out, io }) => {
    await transact(db, async (trx) => {
      if (Object.keys(change).length > 0) await changeSignInPolicy(trx, change, operator(io))
      if (breached) await changeBreachSetting(trx, breached, operator(io))
      if (retention) await changeAuditRetention(trx, retention, operator(io))
      if (branding) await changeBranding(trx, branding, operator(io))
    })
    show(out, await readAll(db), flags)
    if (!flags.json) out.say('It counts from the next sign-in or new password on.')
  })
}

/** Throws a usage error for what is no second factor. */
export function readFactors(list: string): SecondFactor[] {
  const names = list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const wrong = names.find((name) => !isSecondFactor(name))
  if (wrong === undefined) return [...new Set(names.filter(isSecondFactor))]
  throw new CliError(exitCodes.usage, `--second-factors cannot be “${wrong}”.`, [
    `Give some of ${secondFactors.join(', ')}, with commas between.`,
  ])
}

function readDays(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 365) return Number(text)
  throw new CliError(exitCodes.usage, `--remember-days cannot be “${text}”.`, [
    'Give a number of days from 0 to 365.',
  ])
}

/** Undefined when nothing is said of it. */
function readBreached(where: string | undefined): BreachSetting | undefined {
  if (where === undefined) return undefined
  if (where === 'off') return { url: null }
  if (where === 'on') return { url: publicRanges }
  const url = readRangeAddress(where)
  if (url !== undefined) return { url }
  throw new CliError(exitCodes.usage, `--breached-passwords cannot be “${where}”.`, [
    'Give on, off, or the address that five characters are put behind, such as https://ranges.example.org/range/.',
  ])
}

/** Undefined when nothing is said of it. Whole days: nobody looks for less. */
function readRetention(time: string | undefined): AuditRetention | undefined {
  if (time === undefined) return undefined
  if (time === 'never') return { days: null }
  const days = (parseDuration(time) ?? 0) / 86_400
  if (Number.isInteger(days) && days >= 1 && days <= 36_500) return { days }
  throw new CliError(exitCodes.usage, `--audit-retention cannot be “${time}”.`, [
    'Give whole days such as 400d, or never.',
  ])
}

/** Undefined when nothing is said of it. */
function brandingOf({ brandName: name, supportEmail }: Flags): Partial<Branding> | undefined {
  if (name === undefined && supportEmail === undefined) return undefined
  const orDefault = (text: string) => (text === 'default' ? null : text)
  return {
    ...(name === undefined ? {} : { name: orDefault(name) }),
    ...(supportEmail === undefined ? {} : { supportEmail: orDefault(supportEmail) }),
  }
}

type All = SignInPolicy & {
  breached: BreachSetting
  retention: AuditRetention
  branding: Branding
}

async function readAll(db: Db): Promise<All> {
  return {
    ...(await readSignInPolicy(db)),
    breached: await readBreachSetting(db),
    retention: await readAuditRetention(db),
    branding: await readBranding(db),
  }
}

function show(out: Output, settings: All, flags: Flags): void {
  const { when, factors, rememberDays, breached, retention, branding } = settings
  if (flags.json) {
    const shown = {
      second_factor: when,
      second_factors: factors,
      remember_days: rememberDays,
      breached_passwords: breached.url,
      audit_retention_days: retention.days,
      brand_name: branding.name,
      support_email: branding.supportEmail,
    }
    out.json({ settings: shown })
    return
  }
  out.fields([
    ['Second factor', when],
    ['Which count', factors.join(', ') || 'none'],
    ['Remembered', rememberDays === 0 ? 'never' : `for ${rememberDays} days`],
    ['Stolen passwords', breached.url === null ? 'not looked up' : `asked of ${breached.url}`],
    ['Audit trail', retention.days === null ? 'kept for ever' : `kept for ${retention.days} days`],
    ['Brand', branding.name ?? 'as BRAND_NAME says'],
    ['Support', branding.supportEmail ?? 'as SUPPORT_EMAIL says'],
  ])
}
