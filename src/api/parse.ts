/** A JSON body as its schema says, or `invalid_request` with every field that is wrong, unknown ones too. */
import type { Context } from 'koa'
import type { z } from 'zod'
import { AppError, type FieldError } from '../errors.ts'
import { readJson } from '../http/json-body.ts'

/** Throws `invalid_request` (400), and whatever readJson throws. */
export async function parseJson<T>(ctx: Context, schema: z.ZodType<T>): Promise<T> {
  const body = await readJson(ctx)
  const { data, error } = schema.safeParse(body)
  if (error) {
    const fields = error.issues.flatMap((issue) => faultsOf(issue, body))
    throw new AppError('invalid_request', 400, { fields, cause: error })
  }
  return data
}

function faultsOf(issue: z.core.$ZodIssue, body: unknown): FieldError[] {
  // Of the ways that a body may look, the one with the fewest mistakes is what was meant.
  if (issue.code === 'invalid_union') {
    const nearest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
    return nearest.flatMap((inner) => faultsOf(inner, body))
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((field) => ({ field, code: 'unknown_field' }))
  }
  const field = issue.path.join('.')
  const missing = field !== '' && (body as Record<string, unknown> | null)?.[field] === undefined
  return [{ field, code: missing ? `${field}_required` : 'invalid' }]
}
