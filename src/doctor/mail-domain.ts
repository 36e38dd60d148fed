/**
 * Whether the world believes that our mail is ours: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489) of the
 * sender's domain, as DNS has them. Only what DNS answers is judged; silence is no finding.
 */
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

/** The records of a name, joined; `none`: nothing of this kind; `nothing`: no such name and none below it (RFC 8020). */
export type Texts = { records: string[] } | { missing: 'none' | 'nothing' } | { silent: string }

/** What mail servers call their keys when nobody chose a name. */
const usualSelectors = [
  ...['default', 'mail', 'dkim', 'google', 'selector1', 'selector2', 's1', 's2', 'k1', 'k2'],
  ...['key1', 'smtp', 'mx', 'sig1', 'pm', 'fm1', 'zoho', 'mta', 'smtpapi', 'resend'],
]

export async function checkMailDomain(patient: Patient): Promise<Finding[]> {
  const { config, world, dkimSelector } = patient
  if (!config.smtpUrl)
    return [skipped('mail.domain', 'there is no mail server: mail goes to /dev/mailbox')]
  const domain = config.mailFrom.slice(config.mailFrom.lastIndexOf('@') + 1).toLowerCase()
  if (/(^|\.)(localhost|test|invalid|local|internal)$/.test(domain) || !domain.includes('.')) {
    return [skipped('mail.domain', `${domain} is no name of the internet`)]
  }
  const read = (name: string) => readTexts(world.resolveTxt, name)
  const selectors = dkimSelector === undefined ? usualSelectors : [dkimSelector]
  const [top, own, dmarc, keys, below] = await Promise.all([
    read(domain.replace(/^.*\./, '')),
    read(domain),
    readDmarc(read, domain),
    Promise.all(
      selectors.map(async (selector) => ({
        selector,
        texts: await read(`${selector}._domainkey.${domain}`),
      })),
    ),
    read(`_domainkey.${domain}`),
  ])
  // A resolver that knows no such thing as .org answers for nobody's domain.
  if ('missing' in top && top.missing === 'nothing') {
    return [skipped('mail.domain', 'DNS knows nothing of the internet here')]
  }
  return [
    judgeSpf(domain, own),
    judgeDkim(domain, { keys, below, named: dkimSelector !== undefined }),
    judgeDmarc(domain, dmarc),
  ]
}

async function readTexts(
  resolve: (name: string) => Promise<string[][]>,
  name: string,
): Promise<Texts> {
  try {
    return { records: (await resolve(name)).map((parts) => parts.join('')) }
  } catch (error) {
    const { code = 'no answer' } = error as { code?: string }
    if (code === 'ENODATA') return { missing: 'none' }
    if (code === 'ENOTFOUND') return { missing: 'nothing' }
    return { silent: code }
  }
}

/** At the domain itself, else at the one above that may speak for it. */
async function readDmarc(read: (name: string) => Promise<Texts>, domain: string): Promise<Texts> {
  const labels = domain.split('.')
  let last: Texts = { missing: 'none' }
  for (let at = 0; at <= labels.length - 2; at++) {
    last = await read(`_dmarc.${labels.slice(at).join('.')}`)
    if ('silent' in last || policiesOf(last).length > 0) return last
  }
  return last
}

const policiesOf = (texts: Texts) =>
  'records' in texts ? texts.records.filter((text) => /^v=DMARC1\s*(;|$)/.test(text)) : []

export function judgeSpf(domain: string, texts: Texts): Finding {
  const check = 'mail.spf'
  if ('silent' in texts) return skipped(check, `DNS does not answer (${texts.silent})`)
  if ('missing' in texts && texts.missing === 'nothing') {
    return broken(check, `${domain} does not exist`, {
      expected: 'a domain of yours',
      fix: `MAIL_FROM must be an address at a domain of yours, or ${domain} needs records in DNS`,
    })
  }
  const records =
    'records' in texts ? texts.records.filter((text) => /^v=spf1(\s|$)/i.test(text)) : []
  const fix = `one TXT record at ${domain}, as your mail provider gives it: "v=spf1 include:… -all"`
  const [record] = records
  if (record === undefined)
    return warning(check, `${domain} has none`, { expected: 'one SPF record', fix })
  if (records.length > 1) {
    return broken(
      check,
      `${domain} has ${records.length} SPF records, so none counts (RFC 7208 §4.5)`,
      {
        expected: 'one SPF record',
        fix: `put both into one TXT record at ${domain}`,
      },
    )
  }
  if (/(^|\s)\+?all(\s|$)/i.test(record)) {
    return warning(check, `${record} lets everybody send as ${domain}`, {
      expected: '-all or ~all',
      fix,
    })
  }
  return ok(check, record)
}

export function judgeDkim(
  domain: string,
  {
    keys,
    below,
    named,
  }: { keys: { selector: string; texts: Texts }[]; below: Texts; named: boolean },
): Finding {
  const check = 'mail.dkim'
  const found = keys.filter(
    ({ texts }) =>
      'records' in texts && texts.records.some((text) => /(^|;)\s*p=[^;\s]/.test(text)),
  )
  if (found.length > 0)
    return ok(check, `a key at ${found.map(({ selector }) => selector).join(', ')}`)
  const silent = keys.find(({ texts }) => 'silent' in texts)
  if (silent && 'silent' in silent.texts)
    return skipped(check, `DNS does not answer (${silent.texts.silent})`)
  const [first] = keys
  if (named && first) {
    return warning(check, `no key at ${first.selector}._domainkey.${domain}`, {
      expected: 'v=DKIM1; p=…',
      fix: `publish the key of your mail server at ${first.selector}._domainkey.${domain}`,
    })
  }
  // Something is below it, under a name that nobody can guess.
  if ('records' in below || ('missing' in below && below.missing === 'none')) {
    return skipped(
      check,
      'there are keys, under a selector that we do not know: idp doctor --dkim-selector NAME',
    )
  }
  return warning(check, `${domain} has no keys at the usual selectors`, {
    expected: 'mail that is signed',
    fix: 'let your mail server sign, and publish its key; if it does: idp doctor --dkim-selector NAME',
  })
}

export function judgeDmarc(domain: string, texts: Texts): Finding {
  const check = 'mail.dmarc'
  if ('silent' in texts) return skipped(check, `DNS does not answer (${texts.silent})`)
  const policies = policiesOf(texts)
  const [policy] = policies
  const fix = `a TXT record at _dmarc.${domain}: "v=DMARC1; p=quarantine; rua=mailto:postmaster@${domain}"`
  if (policy === undefined)
    return warning(check, `${domain} has none`, { expected: 'one DMARC record', fix })
  if (policies.length > 1) {
    return broken(check, `${policies.length} DMARC records, so none counts (RFC 7489 §6.6.3)`, {
      expected: 'one DMARC record',
      fix: `keep one TXT record at _dmarc.${domain}`,
    })
  }
  if (!/;\s*p\s*=\s*(none|quarantine|reject)\b/i.test(policy)) {
    return broken(check, `${policy} has no policy`, {
      expected: 'p=none, quarantine or reject',
      fix,
    })
  }
  return ok(check, policy)
}
