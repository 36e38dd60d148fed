/** The settings: each that is not usable, and those that are usable and unwise. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Config } from '../config.ts'
import { broken, type Finding, ok, warning } from './finding.ts'
import type { Patient } from './patient.ts'

export async function checkSettings({ config, problems }: Patient): Promise<Finding[]> {
  const wrong = problems.map((problem) => {
    const [, name = 'settings', words = problem] = /^([A-Z_]+): ([\s\S]*)$/.exec(problem) ?? []
    return broken('settings', `${name}: ${words}`, {
      expected: 'a setting that can be used',
      fix: `set ${name} anew; deploy/env.example explains it`,
    })
  })
  const unwise = [
    ...judgeLimits(config),
    ...judgeProxies(config),
    ...judgeTargets(config),
    ...judgeTlsFiles(config),
  ]
  if (wrong.length + unwise.length > 0) return [...wrong, ...unwise]
  return [ok('settings', `each is usable; the issuer is ${config.issuer}`)]
}

export function judgeLimits({ limitFactor }: Pick<Config, 'limitFactor'>): Finding[] {
  if (limitFactor <= 1) return []
  return [
    warning(
      'settings.limits',
      `LIMIT_FACTOR=${limitFactor}: whoever guesses passwords has ${limitFactor} times the tries`,
      {
        expected: '1',
        fix: 'take LIMIT_FACTOR out',
      },
    ),
  ]
}

/** A range that holds strangers lets each of them be whoever they like (security.md PW-17). */
export function judgeProxies({ trustedProxies }: Pick<Config, 'trustedProxies'>): Finding[] {
  return trustedProxies.filter(isTooWide).map((range) =>
    broken(
      'settings.proxies',
      `TRUSTED_PROXIES holds ${range}: anybody there can claim any address`,
      {
        expected: 'the addresses of your proxies alone',
        fix: 'TRUSTED_PROXIES="127.0.0.1 172.16.0.0/12", or whatever your proxies have',
      },
    ),
  )
}

function isTooWide(range: string): boolean {
  const [address = '', bits] = range.split('/')
  if (bits === undefined) return false
  return Number(bits) < (address.includes(':') ? 7 : 8)
}

export function judgeTargets({
  allowPrivateTargets,
}: Pick<Config, 'allowPrivateTargets'>): Finding[] {
  const wide = allowPrivateTargets.filter(
    (target) =>
      (target.includes('/') && isTooWide(target)) || /^(169\.254\.|\[?fd00:ec2:)/.test(target),
  )
  return wide.map((target) =>
    warning(
      'settings.targets',
      `ALLOW_PRIVATE_TARGETS holds ${target}: what apps name may lead there`,
      {
        expected: 'host:port of each app inside your network',
        fix: 'ALLOW_PRIVATE_TARGETS=app.internal:8443',
      },
    ),
  )
}

export function judgeTlsFiles({ tls }: Pick<Config, 'tls'>): Finding[] {
  if (!tls) return []
  const repair = {
    expected: 'a certificate (whole chain) and its key, as PEM',
    fix: 'TLS_CERT_FILE=…/fullchain.pem TLS_KEY_FILE=…/privkey.pem',
  }
  try {
    const fits = new X509Certificate(tls.cert).checkPrivateKey(createPrivateKey(tls.key))
    return fits ? [] : [broken('settings.tls', 'the key is not the certificate’s', repair)]
  } catch {
    return [broken('settings.tls', 'TLS_CERT_FILE or TLS_KEY_FILE cannot be parsed', repair)]
  }
}
