/**
 * Hands finished mails on: to an SMTP server, or on loopback without one to files (mailbox.ts). One mail has
 * one recipient. What a mail says is its caller's business, and so is trying again: failures are thrown.
 */
import { AppError } from '../errors.ts'
import { createMailbox } from './mailbox.ts'
import { createSmtpTransport } from './smtp.ts'

export type Mail = {
  /** One bare address. */
  to: string
  /** One line. */
  subject: string
  text: string
  html: string
  /** The same mail sent again carries the same id, so that mail programs may tell. `[A-Za-z0-9.-]`. */
  id?: string
}

export type Mailer = {
  /**
   * Throws `mail_refused` when the server will never take it (5xx), `mail_unavailable` when it may another
   * time; `detail` is fit for the audit trail, `cause` for the log.
   */
  send(mail: Mail): Promise<void>
  /** Throws `mail_unavailable` when nothing could be sent now. */
  verify(): Promise<void>
  /** Mails that are being sent are finished. */
  close(): void
}

export type MailerOptions = {
  smtpUrl?: string | undefined
  mailFrom: string
  brandName: string
  dataDir: string
}

/** `brandName` is read for each mail. */
export function createMailer(options: MailerOptions): Mailer {
  const transport = hasServer(options) ? createSmtpTransport(options) : createMailbox(options)
  return {
    ...transport,
    async send(mail) {
      check(mail)
      await transport.send(mail)
    },
  }
}

function hasServer(options: MailerOptions): options is MailerOptions & { smtpUrl: string } {
  return options.smtpUrl !== undefined && options.smtpUrl !== ''
}

/** What canonicalEmail lets through, and nothing that could mean a second mailbox (security AC-04). */
const bareAddress = /^[^\s\p{C}@<>()[\]\\,;:"]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+$/iu

function check({ to, subject, text, id = '' }: Mail): void {
  if (to.length > 254 || !bareAddress.test(to)) {
    throw new AppError('mail_refused', 502, { detail: 'not one bare address' })
  }
  if (/[\r\n]/.test(subject) || text.trim() === '' || !/^[\w.-]*$/.test(id)) {
    throw new Error('a mail has a subject of one line, a text part and a plain id')
  }
}
