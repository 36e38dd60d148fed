/**
 * Stylesheet, script and icon, read once into memory. The name holds a hash of the content, so a
 * browser may keep a file for ever and still sees a change at once.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type Asset = { body: Buffer; type: string; etag: string }

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

export type AssetName = keyof typeof sources

/** `paths` gives each asset's address below `/assets/`; `find` gives what lies there. */
export function readAssets(directory: string): {
  paths: Record<AssetName, string>
  find(path: string): Asset | undefined
} {
  const paths: Record<string, string> = {}
  const assets = new Map<string, Asset>()
  for (const [name, { type, files }] of Object.entries(sources)) {
    const body = Buffer.concat(files.map((file) => readFileSync(join(directory, file))))
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 16)
    const path = `/assets/${name.replace('.', `.${hash}.`)}`
    paths[name] = path
    assets.set(path, { body, type, etag: `"${hash}"` })
  }
  return { paths: paths as Record<AssetName, string>, find: (path) => assets.get(path) }
}
