/**
 * An account as it travels: one JSON object on a line. A file begins with a line of its own that names the version. Judged
 * by the rules of every account here, save that names may be reserved: the operator answers for them.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { addressMembers, checkContact } from '../accounts/contact.ts'
import { canonicalEmail } from '../accounts/email.ts'
import { checkDisplayName, splitName } from '../accounts/names.ts'
import { timeZones } from '../accounts/profile.ts'
import { checkUsername, skeleton } from '../accounts/username.ts'
import { mostPasskeys } from '../credentials/passkeys.ts'
import { isUsableHash } from '../credentials/password-hasher.ts'

export const formatVersion = 1
export const formatName = 'idp.accounts'

const bytes = (least: number, most: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .transform((text) => Buffer.from(text, 'base64url'))
    .refine(({ length }) => length >= least && length <= most)
const time = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .refine((at) => at.getTime() <= Date.now() + 60_000)
const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i)
const text = z.string().max(2000)
/** What nobody checks any further: no control or invisible characters. */
const plain = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}]*$/u)

const passkey = z.strictObject({
  credential_id: bytes(1, 1023),
  public_key: bytes(16, 4096),
  counter: z.int().nonnegative().max(0xffff_ffff),
  transports: z
    .array(z.string().regex(/^[a-z-]{1,20}$/))
    .max(10)
    .default([]),
  backup_eligible: z.boolean(),
  backed_up: z.boolean(),
  aaguid: uuid,
  domain: z.string().max(253),
  name: plain(200).default(''),
  created_at: time,
})

const line = z.strictObject({
  id: uuid.optional(),
  username: text,
  email: text.nullish(),
  email_verified: z.boolean().default(false),
  name: text.nullish(),
  given_name: text.nullish(),
  family_name: text.nullish(),
  locale: z
    .string()
    .regex(/^[a-z]{2}(-[A-Z]{2})?$/)
    .nullish(),
  zoneinfo: z.enum(timeZones as [string, ...string[]]).nullish(),
  phone_number: text.nullish(),
  phone_number_verified: z.boolean().default(false),
  address: z
    .strictObject(Object.fromEntries(addressMembers.map((name) => [name, text.optional()])))
    .nullish(),
  status: z.enum(['active', 'disabled']).default('active'),
  disabled_reason: plain(500).nullish(),
  // `app/role` for a role that belongs to one app.
  roles: z
    .array(z.string().regex(/^([A-Za-z0-9_-]{1,128}\/)?[a-z][a-z0-9_.:-]{0,63}$/))
    .max(100)
    .default([]),
  groups: z.array(plain(64)).max(100).default([]),
  password_hash: z.string().max(512).nullish(),
  password_changed_at: time.nullish(),
  passkey_handle: bytes(32, 32).nullish(),
  passkeys: z.array(passkey).max(mostPasskeys).default([]),
  created_at: time.optional(),
})

export type AccountLine = z.input<typeof line>
export type CheckedPasskey = z.output<typeof passkey>

/** The file as a whole is not what it is said to be; the message is for the operator. */
export class FormatError extends Error {}

/** `field` as in the line, `code` for programs, `message` for a person. */
export type Problem = { field: string; code: string; message: string }

/** Every field in the form in which it is stored. */
export type CheckedAccount = {
  id: string
  username: string
  skeleton: string
  email: string
  emailCanonical: string
  name: string
  givenName: string
  familyName: string
  locale: string | null
  zoneinfo: string | null
  phoneNumber: string | null
  phoneVerified: boolean
  address: Record<string, string> | null
  status: 'active' | 'disabled'
  disabledReason: string | null
  roles: string[]
  groups: string[]
  passwordHash: string | null
  passwordChangedAt: Date | null
  passkeyHandle: Buffer | undefined
  passkeys: CheckedPasskey[]
  createdAt: Date
}

export type LineRules = {
  /** The operator answers for addresses that nobody has proven. */
  vouched?: boolean
  /** Names that could be none here become the nearest that could. */
  mendUsernames?: boolean
}

/** `value` is undefined exactly when there are problems. `given` comes from JSON or YAML and may be anything. */
export function checkLine(
  given: unknown,
  { vouched = false, mendUsernames = false }: LineRules = {},
): { value?: CheckedAccount; problems: Problem[] } {
  const parsed = line.safeParse(given)
  if (!parsed.success) return { problems: parsed.error.issues.map(toProblem) }
  const read = parsed.data
  const problems: Problem[] = []
  const refuse = (field: string, code: string, message: string) => {
    problems.push({ field, code, message })
  }
  const username = nameOf(read.username, mendUsernames)
  if (typeof username !== 'string') refuse('username', 'username_invalid', username.message)
  const email = canonicalEmail(read.email ?? '')
  if (!email.ok)
    refuse(
      'email',
      read.email ? 'email_invalid' : 'email_required',
      read.email
        ? 'is no address that mail reaches'
        : 'is missing: every account here has an address',
    )
  else if (!read.email_verified && !vouched)
    refuse(
      'email_verified',
      'email_unverified',
      'is not true: nobody has proven the address. Add --vouch if you answer for it',
    )
  const names = [read.name, read.given_name, read.family_name].map((name) =>
    name?.trim() ? checkDisplayName(name) : undefined,
  )
  for (const [index, name] of names.entries()) {
    if (name?.ok === false)
      refuse(
        ['name', 'given_name', 'family_name'][index] ?? 'name',
        name.code,
        name.code === 'name_too_long' ? 'is too long' : 'holds characters that no name has',
      )
  }
  const contact = checkContact({
    address: read.address ?? undefined,
    phoneNumber: read.phone_number ?? undefined,
  })
  for (const { field, code } of contact.errors) refuse(field, code, 'cannot be kept as it is')
  if (read.password_hash != null && !isUsableHash(read.password_hash))
    refuse(
      'password_hash',
      'hash_unusable',
      'is of a kind that is not known here, or too costly to run',
    )
  if (read.passkeys.some(({ backed_up, backup_eligible }) => backed_up && !backup_eligible))
    refuse('passkeys', 'passkey_invalid', 'cannot be backed up and not eligible for it')
  if (read.passkeys.length > 0 && !read.passkey_handle)
    refuse('passkey_handle', 'required', 'is missing: passkeys know their owner by it')

  if (problems.length > 0 || typeof username !== 'string' || !email.ok) return { problems }
  const [name, given_, family] = names.map((checked) => (checked?.ok ? checked.name : undefined))
  const shown = name ?? ([given_, family].filter(Boolean).join(' ') || username)
  const split = splitName(shown)
  return {
    problems,
    value: {
      id: (read.id ?? idFor('username', username)).toLowerCase(),
      username,
      skeleton: skeleton(username),
      email: email.email,
      emailCanonical: email.canonical,
      name: shown,
      givenName: given_ ?? split.givenName,
      familyName: family ?? split.familyName,
      locale: read.locale ?? null,
      zoneinfo: read.zoneinfo ?? null,
      phoneNumber: contact.phone ?? null,
      phoneVerified: read.phone_number_verified && contact.phone != null,
      address: addressOf(contact.members),
      status: read.status,
      disabledReason:
        read.status === 'disabled' ? (read.disabled_reason ?? 'off where it came from') : null,
      // Everybody has it, and nobody is given it.
      roles: [...new Set(read.roles)].filter((role) => role !== 'user'),
      groups: [...new Set(read.groups)],
      passwordHash: read.password_hash ?? null,
      passwordChangedAt: read.password_changed_at ?? null,
      passkeyHandle: read.passkey_handle ?? undefined,
      passkeys: read.passkeys,
      createdAt: read.created_at ?? new Date(),
    },
  }
}

function addressOf(members: Record<string, string | null>): Record<string, string> | null {
  const kept = Object.entries(members).flatMap(([name, value]) => (value ? [[name, value]] : []))
  return kept.length > 0 ? Object.fromEntries(kept) : null
}

/** The same for the same account each time, so that a second import finds what the first has made. A UUID version 8. */
export function idFor(source: string, name: string): string {
  const digits = hash('sha256', `idp import\n${source}\n${name}`)
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20, 32)}`
}

function nameOf(typed: string, mend: boolean): string | { message: string } {
  const check = checkUsername(typed)
  if (check.ok || check.code === 'username_reserved') return typed
  const suggestion = check.suggestion ?? mended(typed)
  if (mend && suggestion !== undefined) return suggestion
  return {
    message:
      suggestion === undefined
        ? 'can be no username here: a to z, 0 to 9, - and _, at most 32'
        : `can be no username here; with --mend-usernames it becomes ${suggestion}`,
  }
}

/** An address as a name gives its local part; the person still signs in by the address. */
function mended(typed: string): string | undefined {
  const name = (typed.split('@', 1)[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '_')
    .slice(0, 32)
  return checkUsername(name).ok ? name : undefined
}

function toProblem(issue: z.core.$ZodIssue): Problem {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys : undefined
  return {
    field: [...issue.path, ...(unknown ?? [])].join('.') || 'line',
    code: unknown ? 'unknown_field' : 'invalid',
    message: unknown ? 'is not known' : 'is missing, or of a kind that does not belong there',
  }
}
