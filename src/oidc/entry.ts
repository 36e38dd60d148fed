/**
 * People whom an app does not let in (clients/entry.ts): told on a page of the flow where there is one, and refused
 * wherever a token would be given or is shown, so that what was given before counts no longer either.
 */
import { type Account, errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { type ClientAccess, mayEnter } from '../clients/entry.ts'
import type { Row } from '../sessions/artefacts.ts'
import { type Queryable, read } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { groupsOf, rolesOf } from './role-claims.ts'

const { Check, Prompt } = interactionPolicy

/** What `findAccount` gives beside the engine's members. */
export type WithHeld = Account & { held?: { roles: string[]; groups: string[] } }

/** After who they are is known, and before they are asked what the app may know. */
export function entryPrompt() {
  return new Prompt(
    { name: 'access', requestable: false },
    new Check('no_access', 'the app does not let this person in', 'access_denied', (ctx) => {
      const { account, client } = ctx.oidc
      const { held } = (account ?? {}) as WithHeld
      const access = client?.access as ClientAccess | undefined
      return held && !mayEnter(access, held) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    }),
  )
}

/** Whether the app of a token's row still lets its person in. `account` is the row that came with it. */
export async function letsIn(
  clients: Pick<ClientCache, 'client'>,
  clientId: unknown,
  account: Row | undefined,
): Promise<boolean> {
  if (!account || typeof clientId !== 'string') return true
  const access = (await clients.client(clientId))?.access
  return mayEnter(access, { roles: rolesOf(account), groups: groupsOf(account) })
}

/** For grants that begin with no row of ours: throws `access_denied`. Asks the database where the app is limited. */
export async function demandEntry(
  { clients, pool }: { clients: Pick<ClientCache, 'client'>; pool: Queryable },
  clientId: string,
  accountId: string,
): Promise<void> {
  if (!(await clients.client(clientId))?.access) return
  const { account } = await read(pool, 'account', [accountId, clientId])
  if (account && (await letsIn(clients, clientId, account))) return
  throw new errors.AccessDenied('the app does not let this person in')
}

/** Apps that ask from behind are answered as if the person were nobody. */
export function isUnknownHere(
  { oidc: { route, client } }: KoaContextWithOIDC,
  held: WithHeld['held'],
) {
  if (route !== 'backchannel_authentication' || !held) return false
  return !mayEnter(client?.access as ClientAccess | undefined, held)
}
