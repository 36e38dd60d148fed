/**
 * Every allowance of the house in one table. A limit has one or more windows, shortest first: whoever uses up the
 * first waits minutes, whoever comes back again and again waits longer (PW-13). LIMIT_FACTOR multiplies them all.
 */

/** At most `points` in `seconds`, counted from the first. */
export type Window = { points: number; seconds: number }

export type LimitRule = {
  /** What is counted: the key parts that callers give, in this order. */
  per: readonly string[]
  windows: readonly Window[]
  /**
   * `shared`: rows in the database, the same for all processes, kept over restarts.
   * `memory`: per process, costs no statement; for floods, where being exact does not matter.
   */
  store: 'shared' | 'memory'
  /** Successes are given back, so the count may go down again. */
  refunds?: true
}

const minute = 60
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/** A hundred wrong passwords in a row, and only a success or a new password opens again (SP 800-63B 3.2.2). */
const guesses = [
  { points: 10, seconds: 5 * minute },
  { points: 30, seconds: day },
  { points: 100, seconds: year },
] as const

/** Addresses are IPv4, or IPv6 by /64; networks are /24 and /48 (client-address.ts). A school is one address. */
export const limitTable = {
  // Counted before the hash, given back on success. A device that the account knows is counted by the last alone.
  'sign-in-all': {
    per: [],
    windows: [{ points: 3000, seconds: 5 * minute }],
    store: 'memory',
    refunds: true,
  },
  'sign-in-address': {
    per: ['address'],
    windows: [{ points: 50, seconds: 15 * minute }],
    store: 'shared',
    refunds: true,
  },
  'sign-in-network': {
    per: ['network'],
    windows: [{ points: 200, seconds: 15 * minute }],
    store: 'shared',
    refunds: true,
  },
  // An account has two names, username and address, each counted as it was typed, whether or not anybody has it:
  // what one uses up must not show at the other (EN-12). So each has half of the guesses, and a network half of those.
  'sign-in-name-network': {
    per: ['name', 'network'],
    windows: [
      { points: 10, seconds: 5 * minute },
      { points: 25, seconds: year },
    ],
    store: 'shared',
    refunds: true,
  },
  'sign-in-name': {
    per: ['name'],
    windows: [
      { points: 10, seconds: 5 * minute },
      { points: 15, seconds: day },
      { points: 50, seconds: year },
    ],
    store: 'shared',
    refunds: true,
  },
  'sign-in-device': {
    per: ['account', 'device'],
    windows: guesses,
    store: 'shared',
    refunds: true,
  },

  // A row for five minutes each; a page that is open asks again.
  'passkey-challenge': {
    per: ['address'],
    windows: [{ points: 120, seconds: minute }],
    store: 'memory',
  },
  // Each begins a way to an upstream, asks it something, or brings what it said.
  'upstream-address': {
    per: ['address'],
    windows: [{ points: 60, seconds: minute }],
    store: 'memory',
  },
  // Codes of second factors, after a right password; a right one begins anew. Strangers who have the password share what
  // the account allows, a network a part of it; a browser that is known is counted by itself, and never by theirs.
  'second-factor-device': {
    per: ['account', 'device'],
    windows: [
      { points: 10, seconds: 15 * minute },
      { points: 100, seconds: year },
    ],
    store: 'shared',
    refunds: true,
  },
  'second-factor-network': {
    per: ['account', 'network'],
    windows: [
      { points: 10, seconds: 15 * minute },
      { points: 25, seconds: year },
    ],
    store: 'shared',
    refunds: true,
  },
  'second-factor': {
    per: ['account'],
    windows: [
      { points: 20, seconds: hour },
      { points: 50, seconds: year },
    ],
    store: 'shared',
    refunds: true,
  },
  // Recovery codes are 80 bits, so this is against floods, and apart from the rest: they open when that is used up.
  'recovery-code-address': {
    per: ['address'],
    windows: [{ points: 30, seconds: hour }],
    store: 'shared',
  },

  'registration-address': {
    per: ['address'],
    windows: [{ points: 60, seconds: hour }],
    store: 'shared',
  },
  'registration-network': {
    per: ['network'],
    windows: [{ points: 300, seconds: hour }],
    store: 'shared',
  },
  // Wrong codes of invitations alone; a code is 80 bits, so this is against floods and for the log.
  'invite-address': {
    per: ['address'],
    windows: [
      { points: 10, seconds: 10 * minute },
      { points: 60, seconds: day },
    ],
    store: 'shared',
    refunds: true,
  },
  'invite-network': {
    per: ['network'],
    windows: [
      { points: 50, seconds: 10 * minute },
      { points: 300, seconds: day },
    ],
    store: 'shared',
    refunds: true,
  },
  // Names that are taken can be found out here by design, so slowly.
  'username-check': {
    per: ['address'],
    windows: [{ points: 120, seconds: minute }],
    store: 'memory',
  },
  // Each keeps a row for hours and may send a mail.
  'reset-address': {
    per: ['address'],
    windows: [{ points: 60, seconds: hour }],
    store: 'shared',
  },
  // Drawing one takes as long as some hashes.
  'picture-account': {
    per: ['account'],
    windows: [{ points: 20, seconds: hour }],
    store: 'shared',
  },
  'notice-recipient': {
    per: ['recipient'],
    windows: [
      { points: 20, seconds: hour },
      { points: 60, seconds: day },
    ],
    store: 'shared',
  },
  // A code dies of five guesses by itself; this stops trying one code after the other.
  'verification-address': {
    per: ['address'],
    windows: [{ points: 60, seconds: 10 * minute }],
    store: 'shared',
  },
  'resend-address': { per: ['address'], windows: [{ points: 60, seconds: hour }], store: 'shared' },
  // A third of what an address may get: a stranger who knows it cannot use up its owner's share.
  'mail-recipient-network': {
    per: ['recipient', 'network'],
    windows: [
      { points: 4, seconds: hour },
      { points: 12, seconds: day },
    ],
    store: 'shared',
  },
  'mail-recipient': {
    per: ['recipient'],
    windows: [
      { points: 12, seconds: hour },
      { points: 36, seconds: day },
    ],
    store: 'shared',
  },

  // Codes of devices: only wrong ones stay counted, wherever they were typed (RFC 8628 §5.1).
  'user-code-address': {
    per: ['address'],
    windows: [
      { points: 10, seconds: 10 * minute },
      { points: 60, seconds: day },
    ],
    store: 'shared',
    refunds: true,
  },
  'user-code-account': {
    per: ['account'],
    windows: [
      { points: 10, seconds: 10 * minute },
      { points: 60, seconds: day },
    ],
    store: 'shared',
    refunds: true,
  },
  // Of everybody who is not signed in.
  'user-code-all': {
    per: [],
    windows: [{ points: 2000, seconds: 10 * minute }],
    store: 'memory',
    refunds: true,
  },
  // Questions by the backchannel: a person must not be worn down, and hints must not tell who is here.
  'backchannel-client': {
    per: ['client'],
    windows: [{ points: 600, seconds: minute }],
    store: 'memory',
  },
  'backchannel-person': {
    per: ['client', 'account'],
    windows: [
      { points: 10, seconds: 10 * minute },
      { points: 100, seconds: day },
    ],
    store: 'shared',
  },
  'backchannel-unknown': {
    per: ['client'],
    windows: [
      { points: 30, seconds: 10 * minute },
      { points: 300, seconds: day },
    ],
    store: 'shared',
    refunds: true,
  },
  'question-recipient': {
    per: ['recipient'],
    windows: [
      { points: 10, seconds: 10 * minute },
      { points: 60, seconds: day },
    ],
    store: 'shared',
  },
  // Each keeps a row for a day, and a public client need not say who it is.
  'device-address': {
    per: ['address'],
    windows: [{ points: 120, seconds: minute }],
    store: 'memory',
  },
  // Each that does not end in a code keeps a row for ten minutes (auth_session), of public clients too.
  'challenge-address': {
    per: ['address'],
    windows: [{ points: 120, seconds: minute }],
    store: 'memory',
  },

  // Pushed without a proof of who pushes; each keeps a row for an hour.
  'public-push': {
    per: ['address'],
    windows: [{ points: 120, seconds: minute }],
    store: 'memory',
  },

  // Our own API. What comes without a good token counts for its address, a person's for the app and them: no app uses up
  // what another has. Services are let in by an admin, and ask as often as they must.
  'api-address': {
    per: ['address'],
    windows: [{ points: 1200, seconds: minute }],
    store: 'memory',
  },
  'api-caller': {
    per: ['client', 'account'],
    windows: [{ points: 600, seconds: minute }],
    store: 'memory',
  },

  // Client secrets are random, so this is against floods, not against guessing.
  'client-authentication': {
    per: ['client', 'address'],
    windows: [{ points: 30, seconds: minute }],
    store: 'memory',
  },
  // Registering takes a token, so these as well are against floods.
  'client-registration': {
    per: ['address'],
    windows: [{ points: 60, seconds: minute }],
    store: 'memory',
  },
  'client-management': {
    per: ['address'],
    windows: [{ points: 120, seconds: minute }],
    store: 'memory',
  },
  // Strangers name the addresses, at allowed hosts. Documents that are known go on when these are used up.
  'metadata-document-address': {
    per: ['address'],
    windows: [{ points: 10, seconds: minute }],
    store: 'memory',
  },
  'metadata-document-host': {
    per: ['host'],
    windows: [{ points: 30, seconds: minute }],
    store: 'memory',
  },
  // Refusals are kept a week for `idp explain`; more than these say nothing new.
  'refusal-address': {
    per: ['address'],
    windows: [{ points: 60, seconds: minute }],
    store: 'memory',
  },
  // Of `idp doctor`: only a statement each, and only for what looks like a token.
  'probe-address': {
    per: ['address'],
    windows: [{ points: 60, seconds: minute }],
    store: 'memory',
  },
  'authorize-address': {
    per: ['address'],
    windows: [{ points: 1200, seconds: minute }],
    store: 'memory',
  },
} as const satisfies Record<string, LimitRule>

export type LimitName = keyof typeof limitTable
