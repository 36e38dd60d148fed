/** The providers in memory: the sign-in page asks for them each time, and they change once in a while. */
import type { Db } from '../database/connection.ts'
import { listProviders, type Provider } from './providers.ts'

export type ProviderCache = {
  /** Those that people may use, the oldest first. */
  enabled(): Promise<Provider[]>
  /** Undefined for one that is switched off too (security AC-23). */
  find(id: string): Promise<Provider | undefined>
  forget(): void
}

export function createProviderCache(db: Db): ProviderCache {
  let known: Promise<Provider[]> | undefined

  function enabled(): Promise<Provider[]> {
    if (known) return known
    const reading = listProviders(db).then((all) => all.filter((provider) => provider.enabled))
    known = reading
    // A database that was away for a moment takes no button away.
    reading.catch(() => {
      if (known === reading) known = undefined
    })
    return reading
  }

  return {
    enabled,
    find: async (id) => (await enabled()).find((provider) => provider.id === id),
    forget() {
      known = undefined
    },
  }
}
