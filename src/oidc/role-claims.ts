/**
 * What somebody may do, as apps read it: the claims `roles`, `groups`, `permissions` by the scopes of these names, and
 * `service_settings`. Each app may know them by other names. A token stays small: what is too long for one is left out
 * there, named in `claims_left_out`, and told by userinfo as a whole.
 */
import { type Client, type KoaContextWithOIDC, Provider } from 'oidc-provider'
import { type ClaimNames, isNameable, nameableClaims } from '../clients/claim-names.ts'
import type { Db } from '../database/connection.ts'
import { everybodysRole, namesAt } from '../roles/holdings.ts'
import { storedPermissions } from '../roles/permission.ts'
import { listRoles } from '../roles/roles.ts'
import type { Row } from '../sessions/artefacts.ts'

/** What roles allow, in memory. */
export type RoleTexts = {
  /** Sorted; without those under conditions, since a token does not answer for circumstances. */
  permissionsOf(roles: readonly string[]): Promise<string[]>
  forget(): void
}

export const noRoleTexts: RoleTexts = { permissionsOf: async () => [], forget: () => {} }

export function createRoleTexts(db: Db): RoleTexts {
  let known: Promise<Map<string, string[]>> | undefined
  async function load(): Promise<Map<string, string[]>> {
    const roles = await listRoles(db)
    return new Map(roles.map(({ id, permissions }) => [id, unconditional(permissions)]))
  }
  return {
    async permissionsOf(roles) {
      known ??= load()
      const loading = known
      loading.catch(() => {
        if (known === loading) known = undefined
      })
      const texts = await loading
      return [...new Set(roles.flatMap((role) => texts.get(role) ?? []))].toSorted()
    },
    forget() {
      known = undefined
    },
  }
}

function unconditional(permissions: string[]): string[] {
  const always = storedPermissions(permissions).map(
    ({ conditions }) => Object.keys(conditions).length === 0,
  )
  return permissions.filter((_, index) => always[index])
}

/** The claim `roles` of a row of `accounts` at this app. */
export function roleNames(account: Row | undefined, clientId: string | undefined): string[] {
  return namesAt(clientId, [everybodysRole, ...rolesOf(account)])
}

/**
 * The claim `groups`: names of groups and of roles that count everywhere, which share one space of names. Apps that know
 * no other claim take roles from it.
 */
export function groupNames(account: Row | undefined): string[] {
  return [
    ...new Set([...groupsOf(account), ...rolesOf(account).filter(countsEverywhere)]),
  ].toSorted()
}

export function permissionNames(
  account: Row | undefined,
  clientId: string | undefined,
  texts: RoleTexts,
): Promise<string[]> {
  const counting = rolesOf(account).filter(
    (role) => countsEverywhere(role) || role.startsWith(`${clientId}/`),
  )
  return texts.permissionsOf([everybodysRole, ...counting])
}

export const rolesOf = (account: Row | undefined) => (account?.roles as string[] | undefined) ?? []
export const groupsOf = (account: Row | undefined) =>
  (account?.groups as string[] | undefined) ?? []

const countsEverywhere = (role: string) => !role.includes('/')

/** Of each claim in a token. */
const mostNames = 100
const mostBytes = 4096

/** By the app's own names; `whole` where size does not count. */
export function asTold(
  claims: Record<string, unknown>,
  names: ClaimNames | null | undefined,
  { whole }: { whole: boolean },
): Record<string, unknown> {
  const leftOut: string[] = []
  const told = Object.entries(claims).flatMap(([claim, value]) => {
    if (!isNameable(claim)) return [[claim, value]]
    const name = names?.[claim] ?? claim
    if (whole || isSmall(value)) return [[name, value]]
    leftOut.push(name)
    return []
  })
  return Object.fromEntries([
    ...told,
    ...(leftOut.length > 0 ? [['claims_left_out', leftOut]] : []),
  ])
}

function isSmall(value: unknown): boolean {
  if (Array.isArray(value) && value.length > mostNames) return false
  return Buffer.byteLength(JSON.stringify(value)) <= mostBytes
}

/** The engine picks claims by the names that it knows; what leaves is called as the app calls it. */
export function tellByNames(provider: Provider): void {
  const { prototype } = (
    provider as unknown as {
      Claims: { prototype: { client: Client; result(): Promise<Record<string, unknown>> } }
    }
  ).Claims
  const { result } = prototype
  prototype.result = async function byNames() {
    const claims = await result.call(this)
    const names = this.client.claim_names as ClaimNames | undefined
    return asTold(claims, names, { whole: Provider.ctx?.oidc.route === 'userinfo' })
  }
}

type Holder = { claims(use: string, scope: string): Promise<Record<string, unknown>> }
type Source = { scopes?: Set<string> }
type Entities = { Account?: Holder; Grant?: { getOIDCScopeFiltered(scopes: Set<string>): string } }

/**
 * For JWT access tokens (RFC 9068 §2.2.3.1): what of these the person has let this app know, and it has asked for in the
 * request that the token comes from.
 */
export async function roleClaimsOfToken({ oidc }: KoaContextWithOIDC): Promise<object> {
  const { AuthorizationCode, RefreshToken, DeviceCode, BackchannelAuthenticationRequest } =
    oidc.entities as Record<string, Source | undefined>
  const asked =
    (AuthorizationCode ?? RefreshToken ?? DeviceCode ?? BackchannelAuthenticationRequest)?.scopes ??
    new Set()
  const narrowed = oidc.params?.scope ? new Set(String(oidc.params.scope).split(' ')) : asked
  const wanted = nameableClaims.filter((scope) => asked.has(scope) && narrowed.has(scope))
  const { Account, Grant } = oidc.entities as unknown as Entities
  const scope = wanted.length > 0 ? (Grant?.getOIDCScopeFiltered(new Set(wanted)) ?? '') : ''
  if (!Account || scope === '') return {}
  const all = await Account.claims('access_token', scope)
  const claims = Object.fromEntries(
    scope.split(' ').flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
  )
  return asTold(claims, oidc.client?.claim_names as ClaimNames | undefined, { whole: false })
}
