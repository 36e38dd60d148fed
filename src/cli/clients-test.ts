/** `idp clients test`: does signing in to this app work, and if not, where does it stop? */
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Client } from '../clients/clients.ts'
import { runEngineCheck } from '../clients/engine-check.ts'
import { checkMetadata } from '../clients/metadata.ts'
import type { CommandConfig } from '../config/commands.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readSecret } from './input.ts'
import type { Style } from './output.ts'
import { type Check, probe } from './sign-in-probe.ts'
import { checkLevel } from './unreachable-level.ts'

const noticeMs = 2000

type Flags = { secretStdin?: boolean; json?: boolean }

const marks: Record<Check['status'], [sign: string, style: Style]> = {
  ok: ['ok', 'green'],
  failed: ['FAILED', 'red'],
  warning: ['warning', 'yellow'],
  skipped: ['skipped', 'dim'],
}

export function addTest(clients: Command, context: Context): void {
  withExamples(
    clients
      .command('test <client>')
      .summary('walk a sign-in and say what would fail')
      .description(
        'Sends the running server what the app would send, for every redirect URI, up to where a person would type. Ends with 0 when nothing failed, 1 when something did, 6 when nobody answers at the issuer.',
      )
      .option('--secret-stdin', 'read the app’s secret from standard input and check it too')
      .option('--json', 'print JSON')
      .action((client: string, flags: Flags) => test(context, client, flags)),
    [
      ['clients test Cloud', 'what would fail, and how to mend it'],
      ['clients test Cloud --secret-stdin < secret.txt', 'with the secret that the app was given'],
    ],
  )
}

async function test(context: Context, nameOrId: string, flags: Flags): Promise<void> {
  const { io, out } = context
  const secret = flags.secretStdin ? await readSecret(io, 'Secret: ') : undefined
  const { client, issuer, rules } = await withDatabase(context, async ({ db, config }) => {
    const found = await resolveClient(db, nameOrId)
    return {
      client: found,
      issuer: config.issuer,
      rules: await checkRules(context, found, config),
    }
  })
  await settle(client)
  const result = await probe(client, { issuer, secret })
  if ('unreachable' in result) {
    throw new CliError(
      exitCodes.unreachable,
      `Nobody answers at the issuer. ${result.unreachable}.`,
      ['Start the server, or set ISSUER to where it is.'],
    )
  }
  const checks = [rules, ...checkLevel(client), ...result.checks]
  const failed = checks.filter(({ status }) => status === 'failed')
  if (flags.json) out.json({ client_id: client.id, issuer, ok: failed.length === 0, checks })
  else for (const check of checks) printCheck(context, check)
  if (failed.length > 0) {
    throw new CliError(
      exitCodes.failed,
      `${failed.length} of ${checks.length} checks failed for ${client.name}.`,
    )
  }
  out.say(`Nothing that can be seen from here stands in the way of ${client.name}.`)
}

/** A running server looks for changes once a second; one that it never saw it reads afresh. */
async function settle({ createdAt, updatedAt, secrets }: Client): Promise<void> {
  const changes = [updatedAt, ...secrets.map((secret) => secret.createdAt)]
    .map((time) => time.getTime())
    .filter((time) => time > createdAt.getTime())
  const waitMs = Math.max(0, ...changes) + noticeMs - Date.now()
  if (waitMs > 0) await setTimeout(Math.min(waitMs, noticeMs))
}

/** Rules may have become stricter since the client was stored. */
async function checkRules(
  context: Context,
  client: Client,
  { issuer, allowPrivateTargets }: Pick<CommandConfig, 'issuer' | 'allowPrivateTargets'>,
): Promise<Check> {
  const check = 'registration keeps the rules'
  const engineCheck = context.createEngineCheck(issuer, allowPrivateTargets)
  const problems = [
    ...checkMetadata(client.metadata, client),
    ...(await runEngineCheck(engineCheck, client.id, client.metadata)),
  ]
  if (problems.length === 0) return { check, status: 'ok', detail: `preset ${client.preset}` }
  return {
    check,
    status: 'failed',
    detail: problems.map(({ field, message }) => `${field} ${message}`).join('; '),
    fix: problems.map(({ fix }) => fix).join(' '),
  }
}

/** One line, and what to do where it did not go well. */
export function printCheck(
  { out }: Pick<Context, 'out'>,
  { check, status, detail, fix }: Check,
): void {
  const [sign, style] = marks[status]
  out.raw(`${out.style(style, sign.padEnd(8))} ${check}: ${detail}`)
  if (fix !== undefined && status !== 'ok') out.raw(`         ${out.style('dim', '→')} ${fix}`)
}
