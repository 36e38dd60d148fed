/**
 * The body of a page's form. Each field stands once, nothing holds NUL, and the result has no prototype that a
 * field name could reach (IN-02, IN-03, DS-04).
 */
import type { Context, Middleware } from 'koa'
import { AppError } from '../errors.ts'
import { readBody } from './body.ts'

/** Field names to values, without a prototype. */
export type Form = Record<string, string>

declare module 'koa' {
  interface DefaultState {
    /** What the form sent, after `parseForm`. */
    form?: Form
  }
}

const maxBytes = 56 * 1024
const maxFields = 200

/** Puts the fields into `ctx.state.form`. For POST routes of pages; the engine reads its bodies itself. */
export const parseForm: Middleware = async function parseForm(ctx, next) {
  if (ctx.method === 'POST') ctx.state.form = await readForm(ctx)
  await next()
}

/** Throws 400 `invalid_request`, 413 `too_large`, 415 `unsupported_media_type`. */
export async function readForm(ctx: Context): Promise<Form> {
  const type = /^application\/x-www-form-urlencoded$/
  return parseFields(await readBody(ctx.req, { type, maxBytes }))
}

/** Exported for what arrives by another way in the same form. Throws as `readForm`. */
export function parseFields(text: string): Form {
  // Counted before anything is decoded: a hundred thousand empty fields cost one pass.
  let separators = 0
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) separators++
  if (separators >= maxFields) throw new AppError('too_large', 413, { detail: 'Too many fields.' })

  const form: Form = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name.includes('\0') || value.includes('\0')) throw new AppError('invalid_request', 400)
    if (name in form) {
      throw new AppError('invalid_request', 400, { fields: [{ field: name, code: 'duplicate' }] })
    }
    form[name] = value
  }
  return form
}
