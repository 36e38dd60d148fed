/** `idp mail test list retry`: does mail leave, what waits, and what was given up. */
import type { Command } from 'commander'
import { canonicalEmail } from '../accounts/email.ts'
import { readMailSettings } from '../config/commands.ts'
import { listMails, mostMails, type QueuedMail, retryMails } from '../mail/queue.ts'
import { tryMail } from '../mail/try-mail.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readCount } from './input.ts'
import { printable } from './text.ts'

type ListFlags = { failed?: boolean; limit: string; quiet?: boolean; json?: boolean }

export function addMail(program: Command, context: Context): void {
  const mail = program
    .command('mail')
    .helpCommand(false)
    .summary('does it leave, what waits, what was given up')
    .description('Mail: codes, links and notices on their way to people.')
  withExamples(
    mail
      .command('test <address>')
      .summary('send a mail, and say which step fails')
      .description(
        'Sends a mail by SMTP_URL and MAIL_FROM and says which step failed, and how to mend it. Without SMTP_URL it lands in the mailbox of DATA_DIR.',
      )
      .option('--json', 'print JSON')
      .action((address: string, flags: { json?: boolean }) => test(context, address, flags)),
    [['mail test you@example.org', 'look in your mailbox, and in its spam folder']],
  )
  withExamples(
    mail
      .command('list')
      .summary('mails that wait or were given up')
      .description(
        'Lists mails that have not left yet, the oldest first, with why. Addresses are masked.',
      )
      .option('--failed', 'only those that were given up')
      .option('--limit <number>', `how many, ${mostMails} at most`, '100')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => list(context, flags)),
    [['mail list --failed', 'what nobody got']],
  )
  withExamples(
    mail
      .command('retry [mail...]')
      .summary('send again what was given up')
      .description(
        'Sends the named mails at once, or with --all every one that was given up. Codes that have expired meanwhile are not sent: people ask for new ones.',
      )
      .option('--all', 'all that were given up')
      .option('--json', 'print JSON')
      .action((ids: string[], flags: { all?: boolean; json?: boolean }) =>
        retry(context, ids, flags),
      ),
    [
      ['mail retry --all', 'the mail server is back'],
      ['mail retry 4711', 'one of them'],
    ],
  )
}

async function test(
  { io, out }: Context,
  address: string,
  flags: { json?: boolean },
): Promise<void> {
  const email = canonicalEmail(address)
  if (!email.ok)
    throw new CliError(exitCodes.usage, `${printable(address)} is no address that mail reaches.`)
  const settings = readMailSettings(io.env)
  const tried = await tryMail(settings, email.email)
  if (flags.json) out.json({ mail: { to: email.email, ...tried } })
  if (!tried.ok) {
    throw new CliError(
      exitCodes.failed,
      `The mail did not leave. Step: ${tried.step}. ${printable(tried.answer)}`,
      [tried.fix],
    )
  }
  out.say(
    settings.smtpUrl
      ? `The mail server took it. If it does not arrive at ${email.email}, look in the spam folder, and at SPF and DKIM of the sender’s domain.`
      : 'Without SMTP_URL it lies in the local mailbox: /dev/mailbox on the running server.',
  )
}

function list(context: Context, flags: ListFlags): Promise<void> {
  const limit = readCount('--limit', flags.limit, mostMails)
  return withDatabase(context, async ({ db, out }) => {
    const mails = await listMails(db, { failedOnly: flags.failed ?? false, limit })
    if (flags.json) return out.json({ mails: mails.map(mailJson) })
    if (flags.quiet) {
      for (const { id } of mails) out.raw(id)
      return
    }
    if (mails.length === 0) return out.say(flags.failed ? 'None was given up.' : 'None waits.')
    out.table(
      ['MAIL', 'KIND', 'TO', 'STATE', 'TRIES', 'NEXT', 'ERROR'],
      mails.map((mail) => [
        mail.id,
        mail.kind.replace('mail.', ''),
        mail.to ?? '',
        { text: mail.state, style: mail.state === 'failed' ? 'red' : 'green' },
        `${mail.attempts}/${mail.maxAttempts}`,
        mail.state === 'failed' ? '' : stamp(mail.nextAt),
        mail.error ?? '',
      ]),
    )
    if (mails.some(({ state }) => state === 'failed'))
      out.say('To send them again: idp mail retry --all')
  })
}

async function retry(
  context: Context,
  ids: string[],
  flags: { all?: boolean; json?: boolean },
): Promise<void> {
  if ((ids.length === 0) === !flags.all) {
    throw new CliError(exitCodes.usage, 'Which mails? Name them, or add --all.', [
      'See: idp mail list --failed',
    ])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const retried = await retryMails(db, flags.all ? undefined : ids, operator(io))
    if (flags.json) out.json({ retried })
    if (retried < ids.length) {
      throw new CliError(
        exitCodes.notFound,
        `${ids.length - retried} of them are not there, or are being sent now.`,
        ['See: idp mail list'],
      )
    }
    out.say(
      retried === 0 ? 'None was given up.' : `${retried} leave again as soon as the server runs.`,
    )
  })
}

function mailJson(mail: QueuedMail): Record<string, unknown> {
  return {
    id: mail.id,
    kind: mail.kind,
    to: mail.to,
    state: mail.state,
    attempts: mail.attempts,
    max_attempts: mail.maxAttempts,
    created_at: mail.createdAt,
    next_at: mail.state === 'failed' ? null : mail.nextAt,
    error: mail.error,
  }
}
