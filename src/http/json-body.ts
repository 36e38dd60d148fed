/**
 * The JSON body of a request to a program's door. Depth, NUL and broken text are refused before a schema looks at
 * it, and so is a `__proto__` at any depth (IN-02, IN-03, DS-04).
 */
import type { Context } from 'koa'
import { AppError } from '../errors.ts'
import { jsonDepth } from '../json-depth.ts'
import { readBody } from './body.ts'

const maxBytes = 56 * 1024
const maxDepth = 32

/** Throws 400 `invalid_request`, 413 `too_large`, 415 `unsupported_media_type`. */
export async function readJson(ctx: Context): Promise<unknown> {
  const type = /^application\/([a-z0-9.-]+\+)?json$/
  const text = await readBody(ctx.req, { type, maxBytes })
  if (jsonDepth(text) > maxDepth) throw invalid('Nested too deeply.')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid('Not valid JSON.', cause)
  }
  check(value)
  return value
}

function check(value: unknown): void {
  if (typeof value === 'string') checkText(value)
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    checkText(key)
    if (key === '__proto__') throw invalid('Unknown field.')
    check(item)
  }
}

function checkText(text: string): void {
  // PostgreSQL stores neither, and would answer 500 for us.
  if (text.includes('\0') || !text.isWellFormed())
    throw invalid('Text with NUL or half a character.')
}

function invalid(detail: string, cause?: unknown): AppError {
  return new AppError('invalid_request', 400, { detail, cause })
}
