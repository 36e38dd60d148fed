/** Gives back the file: what a file has said, where it still is so, and the shortest entry for everything else. */
import type { Db } from '../database/connection.ts'
import { applyFile, kinds } from './apply.ts'
import type { AppliedFile } from './document.ts'
import type { Deps } from './kind.ts'
import { listOwned, type Owned } from './owned.ts'

/** Secrets are in it by reference, or not at all: what is not named is left as it is by the next `apply`. */
export async function exportFile(
  db: Db,
  given: Omit<Deps, 'db' | 'secretOf'>,
): Promise<AppliedFile> {
  const deps: Deps = { ...given, db, secretOf: () => undefined }
  const owned = await listOwned(db)
  const file: Record<string, unknown> = { version: 1 }
  for (const { section, kind } of kinds) {
    const ids = await kind.list(deps)
    const said = owned.filter((row) => row.kind === kind.name && ids.includes(row.id))
    const first = said.map(({ id }) => id)
    const order = [...first, ...ids.filter((id) => !first.includes(id))]
    const entries: object[] = []
    for (const id of order) {
      const row = said.find((one) => one.id === id)
      const holds = row && (await isSo(deps, section, row))
      entries.push(holds ? row.declared : await kind.toEntry(deps, id))
    }
    if (entries.length > 0) file[section] = section === 'branding' ? entries[0] : entries
  }
  return file as AppliedFile
}

/** Found out by trying it: a plan that would change nothing. */
async function isSo(
  { db, ...deps }: Deps,
  section: keyof AppliedFile,
  { declared }: Owned,
): Promise<boolean> {
  const alone = { version: 1, [section]: section === 'branding' ? declared : [declared] }
  const outcome = await applyFile(db, alone as AppliedFile, { ...deps, plan: true })
  return outcome.ok && outcome.changes.every(({ action }) => action === 'unchanged')
}
