/** What to do about an app that only its own document describes: it has no row that an admin could change. */
import { parseDocumentUrl } from '../clients/document-client.ts'
import { listMetadataHosts } from '../clients/metadata-hosts.ts'
import type { Db } from '../database/connection.ts'

/** Undefined for every other client id. */
export async function documentFixes(
  db: Db,
  clientId: string | null,
): Promise<string[] | undefined> {
  const url = parseDocumentUrl(clientId ?? '')
  if (!url) return undefined
  const { host } = url
  const known = (await listMetadataHosts(db)).some((allowed) => allowed.host === host)
  if (!known) {
    return [`Nobody here takes the word of ${host}. To take it: idp metadata-hosts add ${host}`]
  }
  return [
    'The app is what its own document says; whoever runs it has to mend that.',
    `What apps of ${host} may ask for: idp metadata-hosts list`,
  ]
}
