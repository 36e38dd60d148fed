/** The rules of the house as functions from sources to complaints, so that each can be shown a bad example. */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'

const top = new URL('../../', import.meta.url)

/** `path` from the top of the project, such as `src/http/listen.ts`. */
export type Source = { path: string; text: string }

/** A room imports only from rows above its own. */
export const ladder: string[][] = [
  ['errors', 'config', 'logger', 'crypto', 'json-depth', 'outgoing'],
  ['database', 'views'],
  ['audit', 'jobs', 'idempotency'],
  ['mail', 'clients', 'sessions', 'blocks', 'webhooks', 'settings'],
  ['roles'],
  ['accounts'],
  ['credentials', 'invites'],
  ['registration', 'moving', 'branding'],
  ['federation'],
  ['apply'],
  ['oidc', 'http'],
  ['pages', 'api', 'forward-auth', 'doctor'],
  ['app'],
  ['server', 'lifetime', 'preload'],
  ['backup'],
  ['main', 'cli', 'demo'],
  ['idp'],
]

/** Plain JavaScript that only starts the house: no rooms to anybody who reads it. */
export const starters = ['preload', 'idp']

/** These speak HTTP: with people, apps and programs, or (outgoing) as a client. */
const mayServe = [
  'outgoing',
  'http',
  'oidc',
  'pages',
  'api',
  'forward-auth',
  'app',
  'server',
  'demo',
]
const httpPackages = /^(koa|@koa\/router|helmet|node:https?)$/

/** Where the environment enters. The embedded database hands PATH on to PostgreSQL. */
const mayReadEnvironment = [
  'src/config.ts',
  'src/main.ts',
  'src/cli.ts',
  'src/demo/main.ts',
  'src/database/embedded/binaries.ts',
]

export function readSources(folder: string): Source[] {
  return readdirSync(new URL(folder, top), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .map((name) => readSource(`${folder}/${name}`))
}

export function readSource(path: string): Source {
  return { path, text: readFileSync(new URL(path, top), 'utf8') }
}

/** `src/views.ts` and `src/views/` are one room. */
export function roomOf(path: string): string {
  return path.split('/')[1]?.replace(/\.\w+$/, '') ?? ''
}

/** What a file imports, however: types, re-exports and `import()` too. */
export function importsOf({ path, text }: Source): string[] {
  const code = withoutComments(text)
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"`]([^'"`]+)['"`]\s*\)/g,
  ]
  return patterns
    .flatMap((pattern) => [...code.matchAll(pattern)].map(([, name = '']) => name))
    .map((name) => (name.startsWith('.') ? posix.join(posix.dirname(path), name) : name))
}

export function findClimbingImports(sources: Source[]): string[] {
  const rungs = new Map(ladder.flatMap((rooms, rung) => rooms.map((room) => [room, rung] as const)))
  return sources.flatMap((source) => {
    const from = roomOf(source.path)
    const rung = rungs.get(from)
    if (rung === undefined) return [`${source.path}: the room "${from}" is not on the ladder`]
    return importsOf(source)
      .filter((name) => /^(src|test|\.\.)\//.test(name) && roomOf(name) !== from)
      .filter((name) => !name.startsWith('src/') || (rungs.get(roomOf(name)) ?? rung) >= rung)
      .map((name) => `${source.path} imports ${name}`)
  })
}

export function findHttpInRooms(sources: Source[]): string[] {
  return sources
    .filter(({ path }) => !mayServe.includes(roomOf(path)))
    .flatMap((source) =>
      importsOf(source)
        .filter((name) => httpPackages.test(name))
        .map((name) => `${source.path} imports ${name}`),
    )
}

export function findBarrels(sources: Source[]): string[] {
  return sources.map(({ path }) => path).filter((path) => /\/index\.\w+$/.test(path))
}

export function findDefaultExports(sources: Source[]): string[] {
  return namesWhere(sources, /^\s*export\s+default\b|^\s*export\s*\{[^}]*\bas default\b/m)
}

export function findClasses(sources: Source[]): string[] {
  return namesWhere(
    sources,
    /\bclass\s+\w+(?!\s+extends\s+Error\b)(?=\s*(?:\{|extends\b|implements\b|<))/,
  )
}

export function findEnvironmentReaders(sources: Source[]): string[] {
  const readers = namesWhere(
    sources,
    /\bprocess\s*(?:\??\.\s*env\b|\[)|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/,
  )
  return readers.filter((path) => !mayReadEnvironment.includes(path))
}

/** Every file says on top what it promises. */
export function findMissingCaptions(sources: Source[]): string[] {
  const caption = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//
  return sources
    .filter(({ text }) => !/\w/.test(caption.exec(text)?.[1] ?? ''))
    .map(({ path }) => path)
}

/** Tests that do not run, and promises to do it later. */
export function findLeftOpen(sources: Source[]): string[] {
  const open =
    /\b(?:test|it|describe|suite)\.(?:skip|only|todo|fails|skipIf|runIf)\b|\b(?:TODO|FIXME)\b/
  return sources.filter(({ text }) => open.test(text)).map(({ path }) => path)
}

/** Switched off without words, or in a way that hides too much. */
export function findBareSuppressions(sources: Source[]): string[] {
  const bare = /@ts-ignore|@ts-nocheck|@ts-expect-error\s*$|\bas any\b|biome-ignore-all/m
  return sources.filter(({ text }) => bare.test(text)).map(({ path }) => path)
}

function namesWhere(sources: Source[], pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path)
}

function withoutComments(text: string): string {
  // Only where a line begins with one: `*/*` in a string is no comment.
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '')
}
