/** A change by hand of what a file says: it holds until that file is applied again. */
import { isOwned } from '../apply/owned.ts'
import type { Db } from '../database/connection.ts'
import type { Output } from './output.ts'

export async function noteOwned(
  out: Output,
  db: Db,
  kind: 'api' | 'client' | 'role' | 'group',
  id: string,
): Promise<void> {
  if (!(await isOwned(db, kind, id))) return
  out.say('A file says what it is (idp apply): change it there too, or the next apply undoes this.')
}
