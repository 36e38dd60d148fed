/** Registers the demo's API and its two apps, as an admin would: any number of times. */
import { createApi } from '../clients/apis.ts'
import { rotateSecret } from '../clients/client-life.ts'
import { type By, createClient, type Refused } from '../clients/create-client.ts'
import { updateClient } from '../clients/update-client.ts'
import type { Db } from '../database/connection.ts'
import { createClientCheck } from '../oidc/validate-client.ts'
import { notesApi } from './api.ts'

export type RegisteredApp = { name: string; url: string; clientId: string; clientSecret: string }

const usualPort = '3001'

/** Of two demos on one database, run by two machines, the older keeps its secret for so long. */
const overlapSeconds = 24 * 60 * 60

/** `origin` is where the demo server listens. Secrets are made anew, since only their hashes are kept. */
export async function registerApps(
  db: Db,
  { issuer, origin }: { issuer: string; origin: string },
): Promise<{ first: RegisteredApp; second: RegisteredApp }> {
  const by: By = { actor: { kind: 'operator', id: 'demo' }, engineCheck: createClientCheck(issuer) }
  const { identifier, scope } = notesApi
  await createApi(
    db,
    { identifier, name: notesApi.name, scopes: [scope] },
    { ...by, ifNotExists: true },
  )
  // Demos at other ports are other apps: none takes the addresses of another.
  const { port } = new URL(origin)
  const name = (words: string) => (port === usualPort ? words : `${words} ${port}`)
  const first = { name: name('Demo app'), url: origin, firstParty: false }
  // The house's own: people are not asked whether it may see them.
  const second = { name: name('Second app'), url: `${origin}/second`, firstParty: true }
  return { first: await registerApp(db, first, by), second: await registerApp(db, second, by) }
}

async function registerApp(
  db: Db,
  app: { name: string; url: string; firstParty: boolean },
  by: By,
): Promise<RegisteredApp> {
  const { name, url, firstParty } = app
  const settings = {
    appUrl: url,
    scope: `openid profile email offline_access ${notesApi.scope}`,
    apis: [notesApi.identifier],
    firstParty,
  }
  const made = await createClient(
    db,
    { name, preset: 'web', ...settings },
    { ...by, ifNotExists: true },
  )
  if (!made.ok) throw refused(name, made)
  const { id: clientId } = made.client
  if (made.created) return { name, url, clientId, clientSecret: made.secret ?? '' }

  const updated = await updateClient(db, clientId, settings, by)
  if (updated && !updated.ok) throw refused(name, updated)
  const rotated = await rotateSecret(db, clientId, { ...by, overlapSeconds })
  if (!rotated?.ok) throw new Error(`${name} was deleted meanwhile, or has no secret`)
  return { name, url, clientId, clientSecret: rotated.secret }
}

function refused(name: string, refusal: Refused): Error {
  const reasons =
    refusal.reason === 'taken'
      ? [`${refusal.field} is taken`]
      : refusal.problems.map(({ field, message, fix }) => `${field} ${message}. ${fix}`)
  return new Error(`${name} could not be registered: ${reasons.join('; ')}`)
}
