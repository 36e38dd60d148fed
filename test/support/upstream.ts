/** Another copy of us as an upstream, and how its people come in by it. */
import { createKeyring } from '../../src/crypto.ts'
import { createVisitor, type Page, type Visitor } from '../../src/demo/visitor.ts'
import type { PresetName } from '../../src/federation/presets.ts'
import {
  createProvider,
  type Provider,
  type ProviderInput,
} from '../../src/federation/providers.ts'
import { createApp } from './relying-party.ts'
import type { TestServer } from './server.ts'

/** Waits until the running server has taken the change on. */
export const noticed = () => new Promise((resolve) => setTimeout(resolve, 1300))

export async function addProvider(
  server: TestServer,
  input: Partial<ProviderInput> & { issuer: string },
): Promise<Provider> {
  const { db } = server.database
  const made = await createProvider(
    { db, keyring: createKeyring(server.config.secretKeys), ourIssuer: server.origin },
    {
      id: 'work',
      preset: 'idp' as PresetName,
      name: 'Work',
      clientId: 'us',
      appleTeamId: null,
      appleKeyId: null,
      scope: 'openid profile email',
      trustEmail: false,
      tenants: [],
      roleMap: [],
      enabled: true,
      secret: 'a secret of the upstream',
      ...input,
    },
    { actor: { kind: 'operator' } },
  )
  if (!made.ok) throw new Error(JSON.stringify(made))
  return made.provider
}

/** Registers us there and the other here. First-party there, so that nobody is asked for consent. */
export async function connectCopy(
  server: TestServer,
  upstream: TestServer,
  input: Partial<ProviderInput> = {},
): Promise<Provider> {
  const id = input.id ?? 'work'
  const app = await createApp(upstream, {
    firstParty: true,
    redirectUris: [`${server.origin}/sign-in/callback/${id}`],
    backchannelLogoutUri: `${server.origin}/sign-in/backchannel-logout/${id}`,
    scope: 'openid profile email groups',
  })
  const provider = await addProvider(server, {
    issuer: upstream.origin,
    clientId: app.id,
    secret: app.secret,
    ...input,
  })
  await noticed()
  return provider
}

/** A browser that goes to both. */
export function atBoth(...servers: Pick<TestServer, 'origin'>[]): Visitor {
  return createVisitor({ at: servers.map(({ origin }) => origin) })
}

/** From a page of ours with the button, over there, to where that leads. */
export async function comeBy(
  visitor: Visitor,
  page: Page,
  person: { username: string; password: string },
  id = 'work',
): Promise<Page> {
  const there = await visitor.press(page, `with-${id}`)
  const away = new URL(there.url).origin !== new URL(page.url).origin
  if (!away || !there.body.includes('id="password"')) return there
  const { username: identifier, password } = person
  return visitor.press(there, 'continue', { identifier, password })
}
