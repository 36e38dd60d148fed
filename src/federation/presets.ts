/**
 * What differs between those who sign people in for us. A table and nothing else: what everybody has in common is plain
 * OpenID Connect, found by discovery.
 */

export const presetNames = ['google', 'apple', 'cognito', 'microsoft', 'idp', 'oidc'] as const
export type PresetName = (typeof presetNames)[number]

export type Preset = {
  /** What the button says, where the operator gives no other name. */
  label: string
  /** Known to everybody; otherwise the operator names it. */
  issuer?: string
  scope: string
  /** Where scopes beside `openid` are asked for, Apple answers by a form from its own site. */
  responseMode: 'query' | 'form_post'
  secret: 'client-secret' | 'apple-key'
  /**
   * What of `email_verified` counts. The boolean alone, but at Apple, which documents both the boolean and the string
   * "true" for one and the same thing.
   */
  isVerified(value: unknown): boolean
  /** Whether its word about an address can be trusted at all, if the operator wishes so. */
  mayTrustEmail: boolean
  /** What asks for a sign-in that is not from memory. */
  fresh: Record<string, string>
  /** It says when people have signed in (`auth_time`), as it must when `max_age` is asked for. */
  tellsTime: boolean
  /** It is told in which language to speak. */
  locale: boolean
  /** Where its issuer stands for many tenants, the one of a token is checked apart. */
  tenants: boolean
}

const isTrue = (value: unknown) => value === true

const plain: Preset = {
  label: 'OpenID Connect',
  scope: 'openid profile email',
  responseMode: 'query',
  secret: 'client-secret',
  isVerified: isTrue,
  mayTrustEmail: true,
  fresh: { prompt: 'login', max_age: '0' },
  tellsTime: true,
  locale: true,
  tenants: false,
}

export const presets: Record<PresetName, Preset> = {
  google: {
    ...plain,
    label: 'Google',
    issuer: 'https://accounts.google.com',
    // It knows no other word for it, and tells no time.
    fresh: { prompt: 'select_account' },
    tellsTime: false,
  },
  apple: {
    ...plain,
    label: 'Apple',
    issuer: 'https://appleid.apple.com',
    scope: 'openid name email',
    responseMode: 'form_post',
    secret: 'apple-key',
    isVerified: (value) => value === true || value === 'true',
    fresh: {},
    tellsTime: false,
    locale: false,
  },
  cognito: { ...plain, label: 'Amazon Cognito', fresh: { prompt: 'login' }, tellsTime: false },
  // Its addresses are what an administrator of any tenant has typed, so none of them proves anything.
  microsoft: {
    ...plain,
    label: 'Microsoft',
    mayTrustEmail: false,
    fresh: { prompt: 'login' },
    tellsTime: false,
    tenants: true,
  },
  idp: { ...plain, label: 'Sign-in' },
  oidc: plain,
}

export function isPreset(text: string): text is PresetName {
  return (presetNames as readonly string[]).includes(text)
}

/** Microsoft's issuer for a tenant, or for many: `common`, `organizations`, `consumers`. */
export function microsoftIssuer(tenant: string): string {
  return `https://login.microsoftonline.com/${tenant}/v2.0`
}

const manyTenants = ['common', 'organizations', 'consumers']

/** Whether tokens of this issuer name another one, that of their tenant. */
export function hasManyTenants({ preset, issuer }: { preset: PresetName; issuer: string }) {
  return presets[preset].tenants && manyTenants.some((tenant) => issuer === microsoftIssuer(tenant))
}
