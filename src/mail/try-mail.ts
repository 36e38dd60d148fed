/** Sends one mail by the settings of the server, and says at which step it failed and how to mend that. */
import { AppError } from '../errors.ts'
import { createMailer, type MailerOptions } from './transport.ts'

export const mailSteps = [
  'name',
  'connect',
  'tls',
  'sign-in',
  'sender',
  'recipient',
  'message',
] as const
export type MailStep = (typeof mailSteps)[number]

export type Tried = { ok: true } | { ok: false; step: MailStep; answer: string; fix: string }

/** What to do where a step fails. */
export const mailFixes: Record<MailStep, string> = {
  name: 'The host in SMTP_URL has no address here. Check its spelling, and the DNS of this machine.',
  connect:
    'Nothing answers there. Check the port in SMTP_URL (587, 465 or 25) and whether a firewall lets us out.',
  tls: 'No encryption could be agreed on. smtps:// is for port 465, smtp:// begins in clear (587); a certificate must be valid for the host’s name.',
  'sign-in':
    'The server does not accept name and password of SMTP_URL. Special characters there are to be percent-encoded.',
  sender: 'The server does not let us send as MAIL_FROM. Allow that sender there, or set another.',
  recipient:
    'The server does not take mail for that address. Is it spelled right? A server that refuses every foreign address wants a sign-in in SMTP_URL.',
  message: 'The server refused the mail itself: as spam, or as too much. Its answer says which.',
}

export async function tryMail(options: MailerOptions, to: string): Promise<Tried> {
  const mailer = createMailer(options)
  try {
    await mailer.send({
      to,
      subject: `A test from ${options.brandName}`,
      text: `This is a test. Mail from ${options.brandName} reaches this mailbox.`,
      html: '<p>This is a test. Mail reaches this mailbox.</p>',
    })
    return { ok: true }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const step = stepOf(error.cause ?? error)
    return { ok: false, step, answer: answerOf(error), fix: mailFixes[step] }
  } finally {
    mailer.close()
  }
}

/** nodemailer says where it stood by its code, and by the command that was answered. */
export function stepOf(cause: unknown): MailStep {
  const { code, command, syscall } = cause as { code?: string; command?: string; syscall?: string }
  if (code === 'EDNS' || code === 'ENOTFOUND' || syscall === 'getaddrinfo') return 'name'
  if (
    code === 'ETLS' ||
    /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code ?? '')
  )
    return 'tls'
  if (code === 'ESOCKET' && /certificate|SSL|TLS/i.test(String((cause as Error).message)))
    return 'tls'
  if (code === 'EAUTH' || code === 'ENOAUTH' || /^AUTH/.test(command ?? '')) return 'sign-in'
  if (code === 'EMESSAGE' || command === 'DATA') return 'message'
  if (code === 'EENVELOPE') return command === 'MAIL FROM' ? 'sender' : 'recipient'
  if (command === 'MAIL FROM') return 'sender'
  if (command === 'RCPT TO') return 'recipient'
  return (cause as { detail?: string }).detail === 'not one bare address' ? 'recipient' : 'connect'
}

/** One line of what the server said, without a password: nodemailer puts none there. */
function answerOf(error: AppError): string {
  const { response, message } = (error.cause ?? {}) as { response?: string; message?: string }
  return (response ?? message ?? error.message).split('\n')[0]?.slice(0, 300) ?? ''
}
