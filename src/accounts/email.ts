/**
 * Email addresses: one mailbox, one spelling to compare, one to mail to. Normalised first and then judged
 * (security AC-01, AC-02, AC-04), by plain rules instead of all that RFC 5322 allows: what is accepted here
 * needs no quoting anywhere. Whether the person reads the mailbox is proved elsewhere (registration/).
 */
import { domainToASCII, domainToUnicode } from 'node:url'

/** RFC 5321 §4.5.3.1, as corrected by erratum 1690. */
const longestAddress = 254
const longestLocalPart = 64

export type EmailCheck =
  | {
      ok: true
      /** To mail to: the local part as typed, the domain in ASCII. */
      email: string
      /** To compare and to show to apps: all of it in lower case. Dots and +tags are left alone. */
      canonical: string
    }
  | { ok: false; code: 'email_invalid' }

const invalid: EmailCheck = { ok: false, code: 'email_invalid' }

/** Spaces around the address are dropped; whatever else is not one plain mailbox is refused. */
export function canonicalEmail(text: string): EmailCheck {
  // Before anything else, so that no later step sees long input.
  if (text.length > longestAddress * 2) return invalid
  const [local = '', domain, ...more] = text.replace(/^[ \t]+|[ \t]+$/g, '').split('@')
  if (domain === undefined || more.length > 0 || !isLocalPart(local)) return invalid

  const host = asciiDomain(domain)
  if (host === undefined) return invalid
  const email = `${local}@${host}`
  if (email.length > longestAddress) return invalid
  return { ok: true, email, canonical: email.toLowerCase() }
}

/** `m•••@example.com`: enough for its owner to recognise, the length not told. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, 1)}•••${email.slice(at)}`
}

/** ASCII only: a dotless ı would be another mailbox to us and the same to a careless mail system. */
function isLocalPart(local: string): boolean {
  if (local.length > longestLocalPart) return false
  return local.split('.').every((atom) => /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+$/.test(atom))
}

/** Undefined unless it is a public host name that says the same before and after IDNA (UTS 46). */
function asciiDomain(domain: string): string | undefined {
  // Fullwidth, ligatures, the Kelvin sign: letters that would quietly become others.
  if (domain.normalize('NFKC') !== domain) return undefined
  const typed = domain.toLowerCase()
  const ascii = domainToASCII(typed)
  const unicode = domainToUnicode(ascii)
  // Neither form: Node read it as something else (0x7f.1, exa%6dple.com, an ideographic full stop).
  if (typed !== ascii && typed !== unicode) return undefined

  const labels = ascii.split('.')
  const last = labels.at(-1) ?? ''
  if (ascii.length > 253 || labels.length < 2 || !/[a-z]/.test(last)) return undefined
  if (!labels.every((label) => /^[a-z0-9-]{1,63}$/.test(label) && !/^-|-$/.test(label)))
    return undefined
  // An encoded label that decodes to nothing else was never a name.
  if (unicode.split('.').some((label) => label.startsWith('xn--'))) return undefined
  return ascii
}
