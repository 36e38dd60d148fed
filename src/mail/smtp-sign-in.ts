/** Signs in at the mail server and sends nothing: does SMTP_URL work, and if not, why. */
import { createTransport } from 'nodemailer'

export type SmtpSignIn =
  | { ok: true; server: string; signedIn: boolean }
  | {
      ok: false
      server: string
      /** `refused`: the name or password; `tls`: no safe connection; `unreachable`: nobody there. */
      reason: 'refused' | 'tls' | 'unreachable'
      /** Fit to be shown: codes alone, nothing that the server wrote. */
      words: string
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
    return { ok: false, server, ...explain(error as { code?: string; responseCode?: number }) }
  } finally {
    clearTimeout(timer)
    transport.close()
  }
}

function explain({ code = 'no answer', responseCode }: { code?: string; responseCode?: number }) {
  const said = responseCode === undefined ? code : `SMTP ${responseCode}`
  if (code === 'EAUTH')
    return { reason: 'refused' as const, words: `the sign-in is refused (${said})` }
  if (code === 'ETLS' || /CERT|SIGNED|VERIFY|ALTNAME/.test(code)) {
    return { reason: 'tls' as const, words: `there is no safe connection (${said})` }
  }
  return { reason: 'unreachable' as const, words: `it does not answer (${said})` }
}
