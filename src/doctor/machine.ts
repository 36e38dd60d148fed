/** This machine: Node's version, who can read DATA_DIR, and whether its disk has room. */
import { readFileSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

const mib = 1024 * 1024

export async function checkNode(): Promise<Finding[]> {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { engines } = JSON.parse(manifest) as { engines: { node: string } }
  return [judgeNode(process.versions.node, engines.node)]
}

/** `wanted` as in package.json: `>=24.12`. */
export function judgeNode(version: string, wanted: string): Finding {
  const least = wanted.replace('>=', '').split('.').map(Number)
  const here = version.split('.').map(Number)
  const at = least.findIndex((number, index) => number !== here[index])
  if (at < 0 || (here[at] ?? 0) > (least[at] ?? 0)) return ok('node', `Node ${version}`)
  return broken('node', `Node ${version}`, {
    expected: `Node ${wanted}`,
    fix: 'npm ci (it brings the right one), then npm start',
  })
}

export async function checkFiles({ config }: Patient): Promise<Finding[]> {
  const { dataDir } = config
  const directory = await stat(dataDir).catch(() => undefined)
  if (!directory) return [skipped('files', `DATA_DIR (${dataDir}) is not there`)]
  const secret = await stat(join(dataDir, 'secret-key')).catch(() => undefined)
  const { bavail, bsize } = await statfs(dataDir)
  return [
    judgeModes(dataDir, { directory: directory.mode, secret: secret?.mode }),
    judgeSpace(dataDir, bavail * bsize),
  ]
}

/** Modes as stat gives them. */
export function judgeModes(
  dataDir: string,
  modes: { directory: number; secret: number | undefined },
): Finding {
  const check = 'files.modes'
  const shown = (mode: number) => (mode & 0o777).toString(8)
  if (modes.secret !== undefined && (modes.secret & 0o077) !== 0) {
    return broken(check, `${join(dataDir, 'secret-key')} has mode ${shown(modes.secret)}`, {
      expected: '600: whoever reads it opens what is sealed',
      fix: `chmod 600 ${join(dataDir, 'secret-key')}`,
    })
  }
  if ((modes.directory & 0o077) === 0) return ok(check, `${dataDir} is ours alone`)
  return warning(check, `${dataDir} has mode ${shown(modes.directory)}`, {
    expected: '700',
    fix: `chmod 700 ${dataDir}`,
  })
}

export function judgeSpace(dataDir: string, freeBytes: number): Finding {
  const check = 'files.space'
  const seen = `${Math.floor(freeBytes / mib)} MiB free in ${dataDir}`
  const repair = { expected: '1024 MiB', fix: 'make room, or move DATA_DIR to a larger disk' }
  if (freeBytes < 100 * mib) return broken(check, seen, repair)
  return freeBytes < 1024 * mib ? warning(check, seen, repair) : ok(check, seen)
}
