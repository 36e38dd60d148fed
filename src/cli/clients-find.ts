/** The client that an admin names, by name or id. */
import { type Client, findClient, listClients } from '../clients/clients.ts'
import type { Db } from '../database/connection.ts'
import { CliError, exitCodes } from './errors.ts'
import { didYouMean } from './text.ts'

/** Throws "not found" with the nearest name. */
export async function resolveClient(db: Db, nameOrId: string): Promise<Client> {
  const client = await findClient(db, nameOrId)
  if (!client) throw await clientNotFound(db, nameOrId)
  return client
}

export async function clientNotFound(db: Db, nameOrId: string): Promise<CliError> {
  const known = (await listClients(db)).flatMap(({ id, name }) => [name, id])
  const near = didYouMean(nameOrId, known)
  return new CliError(exitCodes.notFound, `There is no client “${nameOrId}”.`, [
    near ? `Did you mean ${near}?` : 'See: idp clients list',
  ])
}
