/** The body of a form that carries a file (multipart/form-data): read whole up to a limit, then taken apart. */
import type { Context, Middleware } from 'koa'
import { AppError } from '../errors.ts'
import { readBytes } from './body.ts'

declare module 'koa' {
  interface DefaultState {
    /** The file of the form, after `parseUpload`. */
    upload?: Buffer
  }
}

/** Puts the fields into `ctx.state.form` and the file named `file` into `ctx.state.upload`. Throws 400, 413 and 415. */
export function parseUpload(maxBytes: number): Middleware {
  return async function parseUpload(ctx: Context, next) {
    const body = await readBytes(ctx.req, { type: /^multipart\/form-data$/, maxBytes })
    const headers = { 'content-type': ctx.get('Content-Type') }
    const parsed = await new Response(new Uint8Array(body), { headers })
      .formData()
      .catch((cause: unknown) => {
        throw new AppError('invalid_request', 400, { cause })
      })
    const form: Record<string, string> = Object.create(null)
    for (const [name, value] of parsed) {
      if (typeof value === 'string') form[name] = value
      else if (name === 'file') ctx.state.upload = Buffer.from(await value.arrayBuffer())
    }
    ctx.state.form = form
    await next()
  }
}
