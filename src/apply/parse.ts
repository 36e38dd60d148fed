/** Reads a file of `idp apply`, YAML 1.2 or JSON, and says of each mistake in which line it stands. */
import { isNode, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { type AppliedFile, fileSchema } from './document.ts'

/** `where` reads like `clients[2].redirect_uris`; `line` counts from 1. */
export type Mistake = { line: number | undefined; where: string; message: string }

/** Every mistake at once. Aliases are taken, a hundred at most, so that a small file stays one. */
export function parseFile(
  text: string,
): { ok: true; file: AppliedFile } | { ok: false; mistakes: Mistake[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [wrong, ...others] = document.errors
  if (wrong) {
    const mistakes = [wrong, ...others].map(({ message, pos }) => ({
      line: lines.linePos(pos[0]).line,
      where: '',
      message,
    }))
    return { ok: false, mistakes }
  }
  const value = toValue(document)
  if (value instanceof Error)
    return { ok: false, mistakes: [{ line: undefined, where: '', message: value.message }] }
  const { data, error } = fileSchema.safeParse(value)
  const lineOf = (path: PropertyKey[]): number | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return undefined
  }
  if (error) return { ok: false, mistakes: error.issues.flatMap((one) => mistakesOf(one, lineOf)) }
  const twice = findTwice(data, lineOf)
  return twice.length > 0 ? { ok: false, mistakes: twice } : { ok: true, file: data }
}

function toValue(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function mistakesOf(
  issue: z.core.$ZodIssue,
  lineOf: (path: PropertyKey[]) => number | undefined,
): Mistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      line: lineOf([...issue.path, key]),
      where: wordsOf([...issue.path, key]),
      message: 'is not known here',
    }))
  }
  return [{ line: lineOf(issue.path), where: wordsOf(issue.path), message: issue.message }]
}

export function wordsOf(path: PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}

/** Two of one name: which of them was meant? */
function findTwice(
  file: AppliedFile,
  lineOf: (path: PropertyKey[]) => number | undefined,
): Mistake[] {
  const named: Record<string, (string | undefined)[][]> = {
    apis: [file.apis?.map(({ identifier }) => identifier) ?? []],
    clients: [
      file.clients?.map(({ name }) => name.toLowerCase()) ?? [],
      file.clients?.map(({ client_id: id }) => id) ?? [],
    ],
    roles: [file.roles?.map(({ name, client = '' }) => `${client}/${name}`) ?? []],
    providers: [file.providers?.map(({ id }) => id) ?? []],
    groups: [file.groups?.map(({ name }) => name.toLowerCase()) ?? []],
  }
  return Object.entries(named).flatMap(([section, lists]) =>
    lists.flatMap((names) =>
      names.flatMap((name, index) => {
        const first = name === undefined ? index : names.indexOf(name)
        if (first === index) return []
        const before = `${section}[${first}]`
        const path = [section, index]
        return { line: lineOf(path), where: wordsOf(path), message: `is named like ${before}` }
      }),
    ),
  )
}
