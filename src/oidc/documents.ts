/** The two public documents that every app loads again and again: discovery and the key set, ready to send. */
import { createHash } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import type { Context } from 'koa'

export type Document = { body: Buffer; etag: string; maxAgeSeconds: number }

export function createDocument(content: unknown, maxAgeSeconds: number): Document {
  const body = Buffer.from(JSON.stringify(content))
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { body, etag, maxAgeSeconds }
}

export function keySetDocument(keys: JSONWebKeySet, maxAgeSeconds: number): Document {
  return createDocument(keys, maxAgeSeconds)
}

/** Readable from any origin: neither says anything about the asker. */
export function sendDocument(ctx: Context, document: Document, type = 'application/json'): void {
  ctx.set('Access-Control-Allow-Origin', '*')
  ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
  ctx.set('Cache-Control', `public, max-age=${document.maxAgeSeconds}`)
  ctx.set('ETag', document.etag)
  ctx.status = 200
  if (isKnown(document, ctx.get('If-None-Match'))) {
    ctx.status = 304
    return
  }
  ctx.type = type
  ctx.body = document.body
}

/** Not ctx.fresh, which gives way to the no-cache that fetch() adds to every conditional request. */
function isKnown({ etag }: Document, ifNoneMatch: string): boolean {
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
