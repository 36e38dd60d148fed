/** A provider by its id, and the secret that its secret is sealed with. */
import { readSecretKeys } from '../config/commands.ts'
import { createKeyring } from '../crypto.ts'
import { listProviders, type Provider } from '../federation/providers.ts'
import { type Connected, type Context, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { didYouMean } from './text.ts'

type Keys = { db: Connected['db']; keyring: ReturnType<typeof createKeyring>; ourIssuer: string }

/** With the server's secret: what another would seal, no server could open. */
export function withKeys<T>(
  context: Context,
  work: (keys: Keys, connected: Connected) => Promise<T>,
): Promise<T> {
  const keyring = createKeyring(readSecretKeys(context.io.env, { mayBeFirst: true }))
  return withDatabase(context, (connected) => {
    const { db, config } = connected
    return work({ db, keyring, ourIssuer: config.issuer }, connected)
  })
}

/** Throws with exit code 3 when there is none. */
export async function findProvider(db: Connected['db'], id: string): Promise<Provider> {
  const all = await listProviders(db)
  const provider = all.find((known) => known.id === id)
  if (provider) return provider
  const near = didYouMean(
    id,
    all.map((known) => known.id),
  )
  throw new CliError(exitCodes.notFound, `There is no provider ${id}.`, [
    near ? `Did you mean ${near}?` : 'See: idp providers list',
  ])
}
