/** Reads a request's body whole, up to a limit, before anybody interprets it (DS-04). */
import type { IncomingMessage } from 'node:http'
import { AppError } from '../errors.ts'

/**
 * Throws 413 `too_large` as soon as the size is known, 400 `invalid_request` when the text is not UTF-8 or the
 * sender went away, 415 `unsupported_media_type` for another type, charset or an encoding.
 */
export async function readBody(
  req: IncomingMessage,
  options: { type: RegExp; maxBytes: number },
): Promise<string> {
  const bytes = await readBytes(req, options)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new AppError('invalid_request', 400, { cause: error, detail: 'The body is not UTF-8.' })
  }
}

/** The same as bytes. */
export async function readBytes(
  req: IncomingMessage,
  options: { type: RegExp; maxBytes: number },
): Promise<Buffer> {
  // A second reader would wait for an end that has passed.
  if (req.readableEnded) throw new Error('the body was read before')
  const { headers } = req
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';')
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='))
  const encoding = headers['content-encoding'] ?? 'identity'
  if (
    !options.type.test(type.trim()) ||
    encoding.toLowerCase() !== 'identity' ||
    (charset && !/^\s*charset="?utf-?8"?\s*$/.test(charset))
  ) {
    throw new AppError('unsupported_media_type', 415)
  }
  if (Number(headers['content-length'] ?? 0) > options.maxBytes)
    throw new AppError('too_large', 413)

  return collect(req, options.maxBytes)
}

/** What is left of a refused body is thrown away by Node; an iterator would have cut the connection instead. */
function collect(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const stop = (error: AppError) => {
      req.removeListener('data', onData)
      reject(error)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) stop(new AppError('too_large', 413))
      else chunks.push(chunk)
    }
    const gone = (cause?: Error) => stop(new AppError('invalid_request', 400, { cause }))
    req.on('data', onData)
    req.once('end', () => resolve(Buffer.concat(chunks)))
    req.once('error', gone)
    req.once('close', gone)
  })
}
