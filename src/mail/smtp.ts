/** Mail by SMTP: a few connections that are kept, and an end to every wait (security RL-18). */
import { createTransport } from 'nodemailer'
import { AppError } from '../errors.ts'
import type { Mail, Mailer } from './transport.ts'

/** Milliseconds. `whole`: a server that trickles its replies is never silent. */
const usualWaits = { connect: 10_000, silence: 30_000, whole: 60_000 }

/** `smtpUrl` as nodemailer reads it, so that `?requireTLS=true` and the like can be said there. */
export function createSmtpTransport(options: {
  smtpUrl: string
  mailFrom: string
  brandName: string
  waits?: typeof usualWaits
}): Mailer {
  const { smtpUrl, mailFrom, waits = usualWaits } = options
  const transport = createTransport({
    pool: true,
    url: smtpUrl,
    maxConnections: 4,
    // The job tries again, with growing pauses; in here it would do so at once.
    maxRequeues: 0,
    maxRecipients: 1,
    connectionTimeout: waits.connect,
    greetingTimeout: waits.connect,
    dnsTimeout: waits.connect,
    socketTimeout: waits.silence,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  // Idle connections may break; the next mail opens another.
  transport.on('error', () => {})
  const domain = mailFrom.slice(mailFrom.lastIndexOf('@') + 1)

  return {
    async send({ to, subject, text, html, id }: Mail) {
      try {
        await transport.sendMail({
          from: { name: options.brandName, address: mailFrom },
          // As an object: an address in a header's text could be read as two.
          to: { name: '', address: to },
          envelope: { from: mailFrom, to: [to] },
          subject,
          text,
          html,
          ...(id === undefined ? {} : { messageId: `<${id}@${domain}>` }),
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
          signal: AbortSignal.timeout(waits.whole),
        })
      } catch (error) {
        throw toAppError(error)
      }
    },
    async verify() {
      await transport.verify().catch((error: unknown) => {
        throw toAppError(error)
      })
    },
    close: () => transport.close(),
  }
}

/** A refused sender or password is our mistake: the mail stays until the operator has mended it. */
function toAppError(cause: unknown): AppError {
  const { code, command, permanent, responseCode } = cause as Record<string, unknown>
  const aboutThisMail = code === 'EMESSAGE' || (code === 'EENVELOPE' && command !== 'MAIL FROM')
  const detail = `SMTP ${responseCode ?? code ?? 'failed'}`
  return permanent === true && aboutThisMail
    ? new AppError('mail_refused', 502, { cause, detail })
    : new AppError('mail_unavailable', 503, { cause, detail })
}
