/** Signs in at the mail server and sends nothing: does SMTP_URL work, and if not, why. */
import { createTransport } from 'nodemailer'
import { type MailStep, stepOf } from './try-mail.ts'

export type SmtpSignIn =
  | { ok: true; server: string; signedIn: boolean }
  | {
      ok: false
      server: string
      step: MailStep
      /** A code alone, and nothing that the server wrote. */
      code: string
    }

/** Never throws. Milliseconds, for everything together. */
export async function trySmtpSignIn(smtpUrl: string, timeoutMs = 5000): Promise<SmtpSignIn> {
  const { hostname, port, username } = new URL(smtpUrl)
  const server = port === '' ? hostname : `${hostname}:${port}`
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  // A server that trickles its replies is never silent.
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject({ code: 'ETIMEDOUT' }), timeoutMs)
  try {
    await Promise.race([transport.verify(), late.promise])
    return { ok: true, server, signedIn: username !== '' }
  } catch (error) {
    const { code = 'no answer', responseCode } = error as { code?: string; responseCode?: number }
    const said = responseCode === undefined ? code : `SMTP ${responseCode}`
    return { ok: false, server, step: stepOf(error), code: said }
  } finally {
    clearTimeout(timer)
    transport.close()
  }
}
