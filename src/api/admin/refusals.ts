/** What a room finds wrong, as an answer: every field with its code, and words for whoever mends it. */
import type { Problem } from '../../clients/metadata.ts'
import { AppError } from '../../errors.ts'

export function refuseProblems(problems: Problem[]): AppError {
  return new AppError('invalid_request', 400, {
    fields: problems.map(({ field, code }) => ({ field, code })),
    detail: problems.map(({ field, message }) => `${field} ${message}.`).join(' '),
  })
}

export function notFound(code: string): AppError {
  return new AppError(code, 404)
}
