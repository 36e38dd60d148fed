/** What somebody filled in, judged all at once, so that nobody mends one field only to hear of the next. */
import { canonicalEmail } from '../accounts/email.ts'
import { checkDisplayName } from '../accounts/names.ts'
import { checkUsername } from '../accounts/username.ts'
import type { Config } from '../config.ts'
import { checkPassword } from '../credentials/password-rules.ts'
import type { FieldError } from '../errors.ts'
import type { Locale } from '../views.ts'
import { houseNames } from './usernames.ts'

export type Fields = {
  username: string
  email: string
  /** Null for whoever goes without one. */
  password: string | null
  name?: string | undefined
  locale?: string | undefined
  /** The code of an invitation. */
  invite?: string | undefined
}

/** Every field in the form in which it is stored. */
export type CheckedFields = {
  username: string
  email: string
  emailCanonical: string
  password: string | null
  /** The username where no name was given: many apps refuse an empty one. */
  name: string
  locale: Locale
}

type Rules = Pick<Config, 'issuer' | 'brandName' | 'passwordMinLength'>

/** `value` is undefined exactly when there are errors. `reservedToo`: an operator may take reserved names. */
export function checkFields(
  fields: Fields,
  rules: Rules,
  { reservedToo = false } = {},
): { value?: CheckedFields; errors: FieldError[] } {
  const errors: FieldError[] = []
  const refuse = (field: keyof Fields, code: string) => {
    errors.push({ field, code: fields[field] ? code : `${field}_required` })
  }
  const named = checkUsername(fields.username, houseNames(rules))
  const username =
    reservedToo && !named.ok && named.code === 'username_reserved'
      ? { ok: true as const, username: fields.username }
      : named
  if (!username.ok) refuse('username', username.code)
  const email = canonicalEmail(fields.email)
  if (!email.ok) refuse('email', email.code)
  const password =
    fields.password === null
      ? { ok: true as const, password: null }
      : checkPassword(fields.password, {
          minLength: rules.passwordMinLength,
          forbidden: [fields.username, fields.email, fields.name ?? '', rules.brandName],
        })
  if (!password.ok) refuse('password', password.code)
  const name = fields.name?.trim() ? checkDisplayName(fields.name) : undefined
  if (name?.ok === false) refuse('name', name.code)

  if (!username.ok || !email.ok || !password.ok || name?.ok === false) return { errors }
  return {
    errors,
    value: {
      username: username.username,
      email: email.email,
      emailCanonical: email.canonical,
      password: password.password,
      name: name?.name ?? username.username,
      locale: localeFor(fields.locale),
    },
  }
}

/** The nearest of the languages we speak. */
export function localeFor(tag: string | null | undefined): Locale {
  return /^zh\b/i.test(tag ?? '') ? 'zh-CN' : 'en'
}
