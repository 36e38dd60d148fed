/**
 * Two who change one thing lose nothing: an answer has an ETag, and a change that names it is refused when the thing is
 * another by then (RFC 9110 §13.1.1). The tag is a hash of the answer, so whatever can be seen to change changes it.
 */
import type { Context } from 'koa'
import { sha256 } from '../crypto.ts'
import { AppError } from '../errors.ts'

export function etagOf(told: object): string {
  return `"${sha256(JSON.stringify(told)).toString('base64url').slice(0, 22)}"`
}

/** The answer, with its tag. */
export function tagged<T extends object>(ctx: Context, told: T): T {
  ctx.set('ETag', etagOf(told))
  return told
}

/**
 * `told` is the answer as it would be now, read under the lock of the change. Throws 412 `changed_meanwhile`, and 428
 * `if_match_required` where a change has to say what it was made upon; `*` says that it does not matter.
 */
export function demandMatch(
  ctx: Context,
  told: object,
  { required = false }: { required?: boolean } = {},
): void {
  const given = ctx.get('If-Match').trim()
  if (given === '' && required) throw new AppError('if_match_required', 428)
  if (given === '' || given === '*') return
  const tags = given.split(',').map((tag) => tag.trim())
  if (!tags.includes(etagOf(told))) throw new AppError('changed_meanwhile', 412)
}
