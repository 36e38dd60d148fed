/** The certificate that visitors are shown: its chain, its name, how long it lasts, and the version of TLS. */
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'
import { reasonOf } from './request.ts'

const timeoutMs = 5000
const dayMs = 24 * 60 * 60 * 1000
/** Renewal comes at thirty days in most clients; whoever is below this has missed it. */
const soonDays = 14

export type SeenTls = {
  /** Node's code of what is wrong with the chain; undefined where it is trusted. */
  chainError: string | undefined
  /** Undefined where the certificate is for this host. */
  nameError: string | undefined
  names: string
  validTo: Date
  protocol: string
}

export async function checkTls({ config, world }: Patient): Promise<Finding[]> {
  const url = new URL(config.issuer)
  if (url.protocol !== 'https:') return [skipped('tls', 'the issuer is http on this machine')]
  const host = url.hostname.replace(/^\[|\]$/g, '')
  try {
    const seen = await look(host, Number(url.port || 443), world.ca)
    return judgeTls(host, seen, world.now())
  } catch (error) {
    return [
      broken('tls', `${url.host}: ${reasonOf(error)}`, {
        expected: 'TLS at the issuer',
        fix: 'let the proxy serve https there, or set TLS_CERT_FILE and TLS_KEY_FILE',
      }),
    ]
  }
}

/** Talks to anybody: what is wrong with the certificate is what we want to know. */
function look(host: string, port: number, ca: string | undefined): Promise<SeenTls> {
  return new Promise((resolve, reject) => {
    const isName = !/^[\d.]+$|:/.test(host)
    const socket = connect({
      host,
      port,
      ...(isName ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca }),
      rejectUnauthorized: false,
      timeout: timeoutMs,
    })
    socket.once('timeout', () => socket.destroy(new Error('no answer within 5 seconds')))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerCertificate()
      const nameError = checkServerIdentity(host, certificate)?.message
      const refused = socket.authorizationError as string | Error | null
      const code =
        refused instanceof Error
          ? ((refused as { code?: string }).code ?? refused.message)
          : refused
      resolve({
        chainError: code && code !== 'ERR_TLS_CERT_ALTNAME_INVALID' ? code : undefined,
        nameError,
        names: namesOf(certificate),
        validTo: new Date(certificate.valid_to),
        protocol: socket.getProtocol() ?? 'unknown',
      })
      socket.destroy()
    })
  })
}

function namesOf({ subjectaltname, subject }: PeerCertificate): string {
  return (subjectaltname ?? String(subject?.CN ?? 'no name')).replaceAll('DNS:', '').slice(0, 200)
}

/** `nowMs` is this machine's time. */
export function judgeTls(host: string, seen: SeenTls, nowMs: number): Finding[] {
  return [judgeChain(seen), judgeName(host, seen), judgeExpiry(seen, nowMs), judgeProtocol(seen)]
}

const chainFixes: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'get a certificate from an authority (certbot, Caddy), or give apps and NODE_EXTRA_CA_CERTS your own',
  SELF_SIGNED_CERT_IN_CHAIN: 'give apps and NODE_EXTRA_CA_CERTS your own authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the intermediate is missing: serve the full chain (fullchain.pem, not cert.pem)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'the intermediate is missing (serve fullchain.pem), or the authority is your own (NODE_EXTRA_CA_CERTS)',
  CERT_HAS_EXPIRED: 'renew the certificate and reload the proxy',
  CERT_NOT_YET_VALID: 'set the clock of this machine, or wait until the certificate is valid',
}

function judgeChain({ chainError }: SeenTls): Finding {
  if (chainError === undefined) return ok('tls.chain', 'is trusted')
  return broken('tls.chain', `is not trusted (${chainError})`, {
    expected: 'a chain up to an authority that apps know',
    fix: chainFixes[chainError] ?? 'look at the certificate that the proxy serves',
  })
}

function judgeName(host: string, { nameError, names }: SeenTls): Finding {
  if (nameError === undefined) return ok('tls.name', names)
  return broken('tls.name', `it is for ${names}`, {
    expected: host,
    fix: `serve a certificate for ${host} (a proxy without one shows its default)`,
  })
}

function judgeExpiry({ validTo }: SeenTls, nowMs: number): Finding {
  const days = Math.floor((validTo.getTime() - nowMs) / dayMs)
  const until = validTo.toISOString().slice(0, 10)
  const repair = {
    expected: `more than ${soonDays} days`,
    fix: 'renew the certificate and reload the proxy',
  }
  if (days < 0) return broken('tls.expiry', `it ended on ${until}`, repair)
  if (days < soonDays) return warning('tls.expiry', `it ends in ${days} days, on ${until}`, repair)
  return ok('tls.expiry', `until ${until}`)
}

function judgeProtocol({ protocol }: SeenTls): Finding {
  if (protocol === 'TLSv1.3' || protocol === 'TLSv1.2') return ok('tls.protocol', protocol)
  return broken('tls.protocol', protocol, {
    expected: 'TLSv1.3 or TLSv1.2 (RFC 9325)',
    fix: 'in nginx: ssl_protocols TLSv1.2 TLSv1.3;',
  })
}
