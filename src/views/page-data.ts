/**
 * What each template in views/ needs: the contract between the doors that fill pages and the files
 * that draw them. A page's name is its template's file name. All text is plain text; nothing here
 * may already be HTML, and hrefs are paths of ours unless their comment says otherwise.
 */
import type { FieldError } from '../errors.ts'

export type Locale = 'en' | 'zh-CN'

/** The footer's languages. `href` is the current path with `ui_locales` set and the rest kept. */
export type LanguageLink = { locale: Locale; label: string; href: string; current: boolean }

/**
 * A refusal in words: the phrase `errors.<code>`, or the exacter `exact.<code>` when every value it
 * names is at hand (`{{wait}}` comes from `retryAfterSeconds`). An AppError fits as it is.
 */
export type PageError = {
  code: string
  fields?: readonly FieldError[] | undefined
  retryAfterSeconds?: number | undefined
  values?: Record<string, string | number> | undefined
}

/** The app somebody is on the way to. `host` is where it sends people back to. */
/**
 * `host` is where it sends people back to. `unverified`: nobody here has checked it; the name is its own word, and all
 * that is known is the host that speaks for it, or nothing.
 */
export type App = {
  name: string
  host?: string | undefined
  unverified?: { by?: string | undefined } | undefined
}

type Common = {
  app?: App | undefined
  languageLinks: readonly LanguageLink[]
  error?: PageError | undefined
}

/** `csrf` travels as the hidden input of that name, in every form that posts to `action`. */
type Form = Common & { action: string; csrf: string }

/** A page of a person's own account. `notice` is what was just done: the phrase `account.done.<notice>`. */
type AccountForm = Form & { notice?: string | undefined }

/** One row of the consent page, with the person's real values. */
export type ConsentItem =
  | { kind: 'identifier' }
  | { kind: 'profile'; username: string; name?: string | undefined }
  | { kind: 'email'; email: string; verified: boolean }
  /** Line by line; none when the person has said nothing. */
  | { kind: 'address'; lines: readonly string[] }
  | { kind: 'phone'; number?: string | undefined; verified: boolean }
  | { kind: 'groups'; groups: readonly string[] }
  | { kind: 'roles'; roles: readonly string[] }
  | { kind: 'permissions'; permissions: readonly string[] }
  | { kind: 'settings' }
  | { kind: 'offline' }
  | {
      kind: 'api'
      /** The API's name, or its identifier when it has none. */
      api: string
      scopes: readonly { scope: string; description?: string | undefined }[]
      /** Ours, whose scopes have words in every language. */
      own?: boolean
    }
  | {
      /** Something asked for in detail (RFC 9396), in the words of its API's schema. */
      kind: 'detail'
      api: string
      title: string
      description?: string | undefined
      values: readonly DetailValue[]
    }

/** `label` is the schema's; `field` one of the members that RFC 9396 §2.2 names, in our words. */
export type DetailValue = {
  label?: string | undefined
  field?: 'actions' | 'datatypes' | 'privileges' | 'identifier' | undefined
  value: readonly string[] | boolean
}

/**
 * `ended`: it asked for this itself. `told`: it was told and has confirmed. `pending`: it is being told. `asked`: a
 * frame of the page asks it, and nobody knows what comes of it. `untold`: it could not be told. `keeps`: it cannot be
 * told. `until` is when it may go on without the person at the latest, where it was allowed to.
 */
export type EndedApp = {
  name: string
  state: 'ended' | 'told' | 'pending' | 'asked' | 'untold' | 'keeps'
  until?: Date | undefined
}

export type SecondFactorName = 'totp' | 'mail-code' | 'recovery-code' | 'passkey'

export type MailboxMail = {
  id: string
  to: string
  subject: string
  text: string
  html: string
  sentAt: string | Date
}

/** Sends `provider` to `action`. */
type UpstreamButtons = { action: string; providers: readonly { id: string; name: string }[] }

export type PageData = {
  /** Fields `identifier`, `password`. Absent hrefs leave their link out. */
  'sign-in': Form & {
    identifier?: string | undefined
    registerHref?: string | undefined
    forgotHref?: string | undefined
    notice?: 'verified' | 'unfinished' | 'signed-out' | 'address-changed' | 'again' | undefined
    /** Where a passkey's answer goes, in `answer`; its options come from `…/options`. */
    passkeyAction?: string | undefined
    /** A passkey that nobody here has: the browser may forget it (Signal API). */
    unknown?: { rpId: string; credentialId: string } | undefined
    upstream?: UpstreamButtons | undefined
    /** The provider whose account is to be linked to whoever signs in. */
    linking?: string | undefined
  }
  /**
   * Whom a provider knows as `label` and nobody here is linked to. `create`: fields `username` and `name`; `email` is
   * proven. `prove`: to registration. `link`: an account here has the address.
   */
  'new-here': Form & {
    welcome: 'create' | 'prove' | 'link' | 'closed'
    provider: string
    label: string
    email?: string | undefined
    typed: { username: string; name: string }
    linkHref: string
    registerHref: string
  }
  /** Sends `act=link` or `act=later`. */
  'link-provider': Form & { username: string; provider: string; label: string }
  /**
   * Fields `username`, `email`, `password`, `name`, and `invite` where that is given: `needed` by everybody, or brought
   * along. `typed` never holds the password.
   */
  register: Form & {
    typed?: Partial<Record<'username' | 'email' | 'name', string | undefined>> | undefined
    passwordMinLength: number
    signInHref: string
    closed?: boolean | undefined
    invite?: { code: string; needed: boolean } | undefined
    /** A passkey may take the place of the password: sends `way=passkey`. */
    passkeys?: boolean | undefined
    upstream?: UpstreamButtons | undefined
    /** Who has proven the person already; then no password is asked for, and `way=upstream` is sent. */
    proven?: { provider: string; label: string } | undefined
  }
  /**
   * Field `code`; the second form sends `action=resend`. `expired` and `too-many` mean that no code
   * can work any more, so only a new one is offered. `resent` says that one is on its way.
   */
  'verify-email': Form & {
    maskedEmail: string
    waitSeconds: number
    changeHref: string
    state?: 'open' | 'expired' | 'too-many' | undefined
    resent?: boolean | undefined
  }
  /** A GET of the mailed link; only the POST verifies. */
  'verify-link': Common &
    (
      | { state: 'ready'; action: string; csrf: string; maskedEmail: string; username: string }
      | { state: 'used' | 'expired'; signInHref: string; registerHref?: string | undefined }
    )
  /**
   * Sends what the script puts into `answer`, or `act=password` with the field `new_password`. Without `optionsAction` the
   * password is asked for; `passkeyHref` leads back from it.
   */
  'first-passkey': Form & {
    optionsAction?: string | undefined
    passkeyHref?: string | undefined
    passwordHref: string
    passwordMinLength: number
  }
  /**
   * `here`: in the browser where the person began; else the link was opened, perhaps on another device. `unfinished`: the
   * passkey is made where the link was opened.
   */
  'verify-done': Common & {
    signInHref: string
    here?: boolean | undefined
    unfinished?: boolean | undefined
  }
  /**
   * Field `email`, `code` or `new_password`, by `state`; `action=resend` and `action=cancel` beside the code. `proof` is
   * as in `verify-email`.
   */
  'reset-password': Form & {
    state: 'email' | 'code' | 'password'
    signInHref: string
    passwordMinLength: number
    email?: string | undefined
    maskedEmail?: string | undefined
    waitSeconds?: number | undefined
    proof?: 'open' | 'expired' | 'too-many' | undefined
    resent?: boolean | undefined
  }
  /** `others`: what opens the account besides the new password, by its name. */
  'reset-done': Common & {
    signInHref: string
    others: { kind: 'passkey' | 'provider'; name: string }[]
    securityHref: string
  }
  /** Sends what the script puts into `answer`, or `act=later`. */
  'add-passkey': Form & { optionsAction: string }
  /** A passkey of whoever has proven something else; `others` are the other ways from here. */
  passkey: Form & {
    optionsAction: string
    username: string
    others: readonly { factor: string; href: string }[]
    switchHref: string
  }
  /**
   * Field `code`, and with `rememberDays` the box `remember`; by mail the second form sends `action=resend`. `others` are
   * the ways to go on instead.
   */
  'second-factor': Form & {
    factor: 'totp' | 'mail-code' | 'recovery-code'
    username: string
    maskedEmail?: string | undefined
    waitSeconds?: number | undefined
    resent?: boolean | undefined
    rememberDays: number
    others: readonly { factor: SecondFactorName; href: string }[]
    switchHref: string
  }
  /** Fields `code`, `name` and the hidden `ticket`. `secret` is what the QR code holds, in groups of four. */
  authenticator: Form & {
    username: string
    ticket: string
    secret: string
    qr: { size: number; path: string }
    name?: string | undefined
    cancelHref?: string | undefined
  }
  /** Shown once. `onHref` is where the person goes on. */
  'recovery-codes': Common & { codes: readonly string[]; onHref: string }
  /** Sends `decision=allow` or `decision=deny`. */
  consent: Form & {
    app: App
    username: string
    switchHref: string
    items: readonly ConsentItem[]
  }
  /** The app does not let this person in. Sends `choice=cancel`. */
  'no-access': Form & { app: App; username: string; switchHref: string }
  /** Sends `choice=continue` or `choice=switch`. */
  'select-account': Form & {
    username: string
    name?: string | undefined
    email?: string | undefined
  }
  /** The engine's logout form: `xsrf` is its secret; sends `logout=yes` or nothing. */
  'sign-out': Common & { action: string; xsrf: string; username?: string | undefined }
  /**
   * `backHref` is the app's registered address, so it may be absolute; with `frames` (addresses of apps that are told
   * by being loaded) a script goes there by itself. `againHref` shows the page anew.
   */
  'signed-out': Common & {
    apps: readonly EndedApp[]
    frames?: readonly string[] | undefined
    againHref?: string | undefined
    backHref?: string | undefined
    signInHref: string
    /** Where the session came from, for the button that ends it there. */
    upstream?: { name: string; action: string } | undefined
    csrf?: string
  }
  /**
   * No dead ends: `continueHref` restarts the same request; without it, sign-in is offered. With `device` it leads to
   * the form for a device's code. `atApp`: only the app can begin again, and `continueHref` is its own address, if it has
   * one.
   */
  resume: Common & {
    reason: 'expired' | 'lost-cookie' | 'already-done' | 'other-browser'
    continueHref?: string | undefined
    device?: boolean | undefined
    atApp?: boolean | undefined
    signInHref: string
  }
  /**
   * A protocol error that must not redirect. `reason` picks `protocol.<reason>` and falls back to
   * `protocol.other`; `technical` is folded away for whoever runs the app.
   */
  error: Common & {
    reason: string
    reference: string
    technical?: { error: string; description?: string | undefined } | undefined
  }
  /** Everything else that can be answered instead of a page. */
  message: Common & {
    kind: 'not-found' | 'too-many-requests' | 'blocked' | 'busy' | 'fault' | 'forbidden' | 'invalid'
    retryAfterSeconds?: number | undefined
    reference?: string | undefined
    backHref?: string | undefined
  }
  /** `action` receives the sign-out button. */
  account: AccountForm & {
    /** How many apps wait for an answer. */
    questions?: number | undefined
    username: string
    name?: string | undefined
    email: string
    emailVerified: boolean
  }
  /**
   * What guards the account, a row each: the phrases `account.security.<kind>.title`, `.since` (with `date`) or `.state` where
   * there is neither date nor value, and `.change`, the words of the link to `href`.
   */
  /**
   * Sends `act=remove` with `authenticator`, or `act=codes` for new recovery codes; `made` is absent where there never
   * were any.
   */
  'account-authenticators': AccountForm & {
    authenticators: readonly {
      id: string
      name: string
      createdAt: Date
      lastUsedAt: Date | null
    }[]
    codes: { left: number; made: Date | undefined }
    newHref?: string | undefined
  }
  'account-security': AccountForm & {
    items: readonly {
      kind: string
      href?: string | undefined
      value?: string | undefined
      date?: Date | undefined
    }[]
  }
  /**
   * Sends `act=rename` or `act=remove` with `passkey`, or what the script puts into `answer`. `current` is told to whoever
   * keeps the passkeys (Signal API). Without `optionsAction` none can be made.
   */
  'account-passkeys': AccountForm & {
    optionsAction?: string | undefined
    passkeys: readonly {
      id: string
      name: string
      backedUp: boolean
      createdAt: Date
      lastUsedAt: Date | null
    }[]
    renaming?: string | undefined
    current?:
      | {
          rpId: string
          userId: string
          allAcceptedCredentialIds: readonly string[]
          name: string
          displayName: string
        }
      | undefined
  }
  /** Sends `act=unlink` with `identity`, or `provider` to link another. */
  'account-providers': AccountForm & {
    identities: readonly {
      id: string
      provider: string
      label: string
      enabled: boolean
      createdAt: Date
      lastUsedAt: Date
    }[]
    providers: readonly { id: string; name: string }[]
  }
  /** Fields named like the claims of OpenID Connect; `typed` is what stands in them. */
  'account-profile': AccountForm & {
    username: string
    typed: Record<string, string>
    /** A path of ours. The form beside it sends `file` to `/account/picture`, or `action=remove`. */
    pictureHref?: string | undefined
    locales: readonly string[]
    timeZones: readonly string[]
  }
  /** Field `email`; once a mail is on its way to `maskedEmail`, field `code`, with `proof` as in `verify-email`. */
  'account-address': AccountForm & {
    current: string
    email?: string | undefined
    maskedEmail?: string | undefined
    waitSeconds?: number | undefined
    proof?: 'open' | 'expired' | 'too-many' | undefined
    resent?: boolean | undefined
  }
  /** Sends `end` with the id of a device, or `others=yes`. `near`: in the network from which this page is asked for. */
  'account-devices': AccountForm & {
    devices: readonly {
      id: string
      browser?: string | undefined
      system?: string | undefined
      current: boolean
      signedInAt: Date
      seenAt: Date
      network?: string | undefined
      near: boolean
      apps: readonly string[]
    }[]
    /** Browsers that are not asked for a second step. */
    remembered: readonly {
      id: string
      browser?: string | undefined
      system?: string | undefined
      createdAt: Date
      expiresAt: Date
    }[]
  }
  /** `word` is the phrase `account.event.<word>`. */
  'account-activity': AccountForm & {
    events: readonly {
      at: Date
      word: string
      app: string | null
      address: string | null
      device: string
    }[]
    olderHref?: string | undefined
    newestHref?: string | undefined
  }
  'account-data': AccountForm & { deleteHref: string; days: number }
  /** Field `username`, to be sure. */
  'account-delete': AccountForm & { username: string; days: number }
  'account-left': Common & { days: number; signInHref: string }
  /** Behind the links of a change of address, wherever they are opened. */
  'address-link': Form & {
    page: 'confirm' | 'undo'
    state: 'ready' | 'done' | 'over'
    maskedEmail?: string | undefined
  }
  /** Field `new_password`. */
  'account-password': AccountForm & {
    username: string
    passwordMinLength: number
    /** There was none before. */
    first?: boolean | undefined
  }
  /** `action` receives the field `client` of an app. `disconnected` names the one that was just removed. */
  'account-apps': AccountForm & {
    apps: readonly {
      id: string
      name: string
      since: Date
      lastUsed: Date
      /** What it may see, in words where they are scopes of ours: the phrase `account.sees.<scope>`. */
      scopes: readonly string[]
      apis: readonly string[]
    }[]
    disconnected?: string | undefined
  }
  /** Field `user_code`. `filled`: it came with the link. `qr` is the link to here, for a phone. */
  device: Form & {
    userCode: string
    filled: boolean
    qr?: { size: number; path: string } | undefined
  }
  /** Who asks, before anything happens. Sends `user_code` and `decision=allow` or `decision=deny`. */
  'device-confirm': Form & {
    app: App
    userCode: string
    address?: string | undefined
    program?: string | undefined
    username?: string | undefined
  }
  'device-done': Common & { state: 'connected' | 'refused' }
  /** Sends `allow` or `deny` with the id of a question. `outcome` is of the one that was just answered. */
  requests: Form & {
    username: string
    questions: readonly {
      id: string
      app: App
      message?: string | undefined
      secondsLeft: number
      items: readonly ConsentItem[]
    }[]
    outcome?:
      | { state: 'allowed' | 'refused' | 'gone' | 'weak'; app?: string | undefined }
      | undefined
  }
  home: Common & { signInHref: string; registerHref?: string | undefined }
  mailbox: Common & { mails: readonly MailboxMail[] }
}

/** `path` is made absolute on the issuer here, so that no mail can carry another host. */
export type MailData = {
  'verify-email': { username: string; code: string; path: string; minutes: number }
  'already-registered': { username: string; path: string }
  /** `passkey` is its name, or empty. */
  'passkey-added': { username: string; passkey: string; path: string }
  'passkey-removed': { username: string; passkey: string; path: string }
  'reset-password': { username: string; code: string; path: string; minutes: number }
  'change-address': { username: string; code: string; path: string; minutes: number }
  /** What happened, by `kind`: the phrases `mail.notice.<kind>.subject`, `.intro`, `.then` and `.button`. */
  notice: {
    kind: string
    username: string
    path: string
    at: Date
    device?: string | undefined
    address?: string | undefined
  }
  /** A factor was added or removed, or a recovery code used. */
  'factor-changed': {
    username: string
    what: 'added' | 'removed' | 'used'
    factor: 'totp' | 'recovery-code' | 'all'
    path: string
  }
  /** `until` is when it ends. */
  invite: { code: string; path: string; until?: Date | undefined }
  'sign-in-code': { username: string; code: string; minutes: number; path: string }
  /** An app asks for the person's yes; `message` is what it shows as well. */
  question: {
    username: string
    app: string
    message?: string | undefined
    minutes: number
    path: string
  }
}
