/**
 * Which addresses a client may register. They are compared byte for byte later, so what stands here must be
 * unmistakable: absolute, encrypted or on this machine, without parts that browsers rewrite or hide.
 */

export type UriFault = { code: string; message: string; fix: string }

type Rule = [code: string, broken: (uri: string) => boolean, message: string, fix: string]

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]'])
const longestUri = 2000

/** Readings of `/../` and `/./` that browsers and servers disagree about, and encoded separators. */
const treacherousPath = /\/(\.|%2e){1,2}(?=\/|$)|%2f|%5c/i
const encodedControl = /%[01][0-9a-f]|%7f/i

const spelling: Rule[] = [
  ['uri_empty', (uri) => uri === '', 'is empty', 'Give an absolute address.'],
  [
    'uri_too_long',
    (uri) => uri.length > longestUri,
    `is longer than ${longestUri} characters`,
    'Register the address without its changing parts; apps carry those in `state`.',
  ],
  [
    'uri_characters',
    (uri) => /[^\x21-\x7e]/.test(uri),
    'contains spaces, line breaks or characters outside ASCII',
    'Remove spaces; write other characters percent-encoded and the host in its xn-- form.',
  ],
  [
    'uri_wildcard',
    (uri) => uri.includes('*'),
    'contains a wildcard',
    'Register each address in full; --redirect-uri may be repeated.',
  ],
  [
    'uri_characters',
    (uri) => /[\\<>"`{}|^]/.test(uri),
    'contains characters that addresses must not have',
    'Write them percent-encoded.',
  ],
  [
    'uri_fragment',
    (uri) => uri.includes('#'),
    'contains a fragment (#…), which browsers never send',
    'Remove everything from the # on.',
  ],
  [
    'uri_relative',
    (uri) => !URL.canParse(uri) || !/^[a-z][a-z0-9+.-]*:/i.test(uri),
    'is not an absolute address',
    'Begin with https:// and the host.',
  ],
]

const parsed: Rule[] = [
  [
    'uri_userinfo',
    (uri) =>
      new URL(uri).username !== '' || new URL(uri).password !== '' || /^\w+:\/\/[^/?]*@/.test(uri),
    'carries a user name before the host (…@…)',
    'Remove everything between // and @.',
  ],
  [
    'uri_path',
    (uri) => treacherousPath.test(uri.split('?', 1)[0] ?? '') || encodedControl.test(uri),
    'has a path that browsers and servers may read differently (dots, encoded slashes or control characters)',
    'Write the path as the app really serves it.',
  ],
]

/**
 * A redirect URI, for sign-in or for after sign-out (RFC 9700 §4.1, RFC 8252 §7). Web clients: https, or http on
 * this machine. Native clients: the same, or a private scheme that contains a dot.
 */
export function findRedirectUriFault(
  uri: string,
  applicationType: 'web' | 'native',
): UriFault | undefined {
  const fault = findFault(uri, [...spelling, ...parsed])
  if (fault) return fault
  const { protocol, hostname } = new URL(uri)
  if (protocol === 'https:' || protocol === 'http:')
    return findTransportFault(uri, protocol, hostname, applicationType)
  // `javascript:`, `data:`, `file:` and their kin have no dot, so one rule covers today's and tomorrow's.
  if (!protocol.includes('.')) {
    return {
      code: 'uri_scheme',
      message: `uses the scheme ${protocol} which cannot belong to one app`,
      fix:
        applicationType === 'native'
          ? 'Use https, http on 127.0.0.1 or [::1], or a private scheme with a dot such as com.example.app:/callback.'
          : 'Use https, or http on localhost.',
    }
  }
  if (applicationType === 'web') {
    return {
      code: 'uri_scheme',
      message: `uses the private scheme ${protocol} which only native apps may`,
      fix: 'Use https, or create the client with --preset native.',
    }
  }
  return undefined
}

/** An address that browsers are sent to or that we call: https, or http on this machine, nothing else. */
export function findWebUriFault(uri: string): UriFault | undefined {
  const fault = findFault(uri, [...spelling, ...parsed])
  if (fault) return fault
  const { protocol, hostname } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'http:') {
    return { code: 'uri_scheme', message: `uses the scheme ${protocol}`, fix: 'Use https.' }
  }
  return findTransportFault(uri, protocol, hostname, 'web')
}

export function isLoopbackHost(hostname: string): boolean {
  return loopbackHosts.has(hostname)
}

function findFault(uri: string, rules: Rule[]): UriFault | undefined {
  const rule = rules.find(([, broken]) => broken(uri))
  if (!rule) return undefined
  const [code, , message, fix] = rule
  return { code, message, fix }
}

function findTransportFault(
  uri: string,
  protocol: 'https:' | 'http:',
  hostname: string,
  applicationType: 'web' | 'native',
): UriFault | undefined {
  if (!/^https?:\/\/[^/]/i.test(uri)) {
    return {
      code: 'uri_relative',
      message: 'has no host',
      fix: 'Begin with https:// and the host.',
    }
  }
  const loopback = isLoopbackHost(hostname)
  if (protocol === 'http:' && !loopback) {
    return {
      code: 'uri_insecure',
      message: 'uses http on a host other than this machine, so anyone on the way can read along',
      fix: `Use https://${uri.slice('http://'.length)}; plain http is for localhost, 127.0.0.1 and [::1] alone.`,
    }
  }
  if (protocol === 'https:' && loopback && applicationType === 'native') {
    return {
      code: 'uri_scheme',
      message: 'uses https on this machine, which a native app cannot prove to own',
      fix: 'Use http on 127.0.0.1 or [::1] (any port will match).',
    }
  }
  return undefined
}
