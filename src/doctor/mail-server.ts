/** Whether the mail server lets us in, and whether our password travels there in safety. */

import { type SmtpSignIn, trySmtpSignIn } from '../mail/smtp-sign-in.ts'
import { mailFixes } from '../mail/try-mail.ts'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import { isWrong, type Patient } from './patient.ts'

export async function checkMailServer(patient: Patient): Promise<Finding[]> {
  const { smtpUrl } = patient.config
  if (isWrong(patient, 'SMTP_URL')) return [skipped('mail.sign-in', 'SMTP_URL is not usable')]
  if (!smtpUrl)
    return [skipped('mail.sign-in', 'there is no mail server: mail goes to /dev/mailbox')]
  return [judgeSignIn(await trySmtpSignIn(smtpUrl)), ...judgeSafety(smtpUrl)]
}

export function judgeSignIn(result: SmtpSignIn): Finding {
  const check = 'mail.sign-in'
  if (result.ok) {
    return ok(
      check,
      `${result.server} ${result.signedIn ? 'lets us in' : 'answers, without a sign-in'}`,
    )
  }
  return broken(check, `${result.server}: fails at ${result.step} (${result.code})`, {
    expected: 'a mail server that lets us in',
    fix: mailFixes[result.step],
  })
}

export function judgeSafety(smtpUrl: string): Finding[] {
  const { protocol, hostname, username, searchParams } = new URL(smtpUrl)
  const near = /^(localhost|127\.|\[::1\])/.test(hostname)
  if (protocol === 'smtps:' || near || username === '') return []
  if (searchParams.get('requireTLS') === 'true') return []
  return [
    warning('mail.safety', 'our password would also go over a connection without TLS', {
      expected: 'TLS or nothing',
      fix: 'SMTP_URL=smtps://…, or add ?requireTLS=true to it',
    }),
  ]
}
