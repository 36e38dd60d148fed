/** Secrets stand outside the file: in the environment, or in files of their own. */
import type { AppliedFile } from './document.ts'

/** Each with its place, such as `clients[0].secret`. */
export function referencesIn(file: AppliedFile): { where: string; reference: string }[] {
  const { clients = [], providers = [] } = file
  return Object.entries({ clients, providers }).flatMap(([section, entries]) =>
    entries.flatMap(({ secret }, index) =>
      secret === undefined ? [] : [{ where: `${section}[${index}].secret`, reference: secret }],
    ),
  )
}

export function wordsOfReference(reference: string): { kind: 'env' | 'file'; value: string } {
  const [kind, ...rest] = reference.split(':')
  return { kind: kind === 'env' ? 'env' : 'file', value: rest.join(':') }
}
