/** Whether somebody may have this password from now on: by the rules of the house, and by what is known to be stolen. */
import type { Account } from '../accounts/accounts.ts'
import type { Config } from '../config.ts'
import type { BreachedPasswords } from './breached-passwords.ts'
import { checkPassword, type PasswordCheck } from './password-rules.ts'

export type NewPasswordCheck =
  | Extract<PasswordCheck, { ok: true }>
  | {
      ok: false
      code:
        | Extract<PasswordCheck, { ok: false }>['code']
        | 'password_required'
        | 'password_breached'
    }

/** On success `password` is what is hashed. */
export type JudgePassword = (
  typed: string,
  person: Pick<Account, 'username' | 'email' | 'name'>,
) => Promise<NewPasswordCheck>

export function createPasswordJudge(options: {
  config: Pick<Config, 'passwordMinLength' | 'brandName'>
  breached: Pick<BreachedPasswords, 'has'>
}): JudgePassword {
  const { passwordMinLength: minLength, brandName } = options.config
  return async (typed, { username, email, name }) => {
    if (typed === '') return { ok: false, code: 'password_required' }
    const checked = checkPassword(typed, {
      minLength,
      forbidden: [username, email ?? '', name, brandName],
    })
    if (!checked.ok) return checked
    const known = await options.breached.has(checked.password)
    return known ? { ok: false, code: 'password_breached' } : checked
  }
}
