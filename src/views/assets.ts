/**
 * Stylesheet, scripts and icon. The name holds a hash of the content, so a browser may keep a file for ever and still sees a
 * change at once. Each is sent compressed to whoever can read it, and compressed once.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { readStrengthScript } from './strength-asset.ts'

export type Encoding = 'identity' | 'gzip' | 'br'

export type Asset = { type: string; etag: string; body(encoding?: Encoding): Buffer }

const javascript = 'text/javascript; charset=utf-8'

// The stylesheet is written in parts and sent as one file: one request before the first paint.
const sources = {
  'look.css': {
    type: 'text/css; charset=utf-8',
    files: ['tokens', 'frame', 'forms', 'parts', 'account'].map((name) => `${name}.css`),
  },
  'page.js': { type: javascript, files: ['page.js'] },
  'passkeys.js': { type: javascript, files: ['passkeys.js'] },
  'icon.svg': { type: 'image/svg+xml', files: ['icon.svg'] },
} as const

export type AssetName = keyof typeof sources | 'strength.js'

/** `paths` gives each asset's address below `/assets/`; `find` gives what lies there. */
export function readAssets(directory: string): {
  paths: Record<AssetName, string>
  find(path: string): Asset | undefined
} {
  const paths: Record<string, string> = {}
  const assets = new Map<string, Asset>()
  const add = (name: string, type: string, hash: string, read: () => Buffer) => {
    const path = `/assets/${name.replace('.', `.${hash}.`)}`
    paths[name] = path
    assets.set(path, { type, etag: hash, body: keepEncoded(read) })
  }
  for (const [name, { type, files }] of Object.entries(sources)) {
    const body = Buffer.concat(files.map((file) => readFileSync(join(directory, file))))
    add(name, type, createHash('sha256').update(body).digest('hex').slice(0, 16), () => body)
  }
  const strength = readStrengthScript(directory)
  add('strength.js', javascript, strength.hash, strength.body)
  return { paths: paths as Record<AssetName, string>, find: (path) => assets.get(path) }
}

function keepEncoded(read: () => Buffer): Asset['body'] {
  const kept = new Map<Encoding, Buffer>()
  return (encoding = 'identity') => {
    const known = kept.get(encoding)
    if (known) return known
    const made = encode(read(), encoding)
    kept.set(encoding, made)
    return made
  }
}

/** Half a megabyte takes a tenth of a second, once. */
function encode(body: Buffer, encoding: Encoding): Buffer {
  if (encoding === 'gzip') return gzipSync(body, { level: 9 })
  if (encoding === 'identity') return body
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 }
  return brotliCompressSync(body, { params })
}
