/** What an app will see, in words and with the person's own values, and their yes or no. */
import type { Context } from 'koa'
import { type Address, addressMembers } from '../accounts/contact.ts'
import { record } from '../audit/audit.ts'
import { standardScopes } from '../clients/scopes.ts'
import { detailsOf } from '../oidc/authorization-details.ts'
import { claimsByScope } from '../oidc/claims.ts'
import { claimsOf, type Wanted } from '../oidc/consent.ts'
import { type Flow, finishConsent, finishWithError } from '../oidc/interactions.ts'
import { groupNames, permissionNames, roleNames } from '../oidc/role-claims.ts'
import type { ConsentItem } from '../views/page-data.ts'
import { describeDetail } from './consent-details.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, assertFinished, formOf } from './flow.ts'
import { pathOf } from './steps.ts'

/** Without a prompt of the engine: everything that was asked for. */
type Asked = Pick<Flow, 'clientId' | 'account' | 'parameters'> & { prompt?: Flow['prompt'] }

export function consentPages(deps: PagesDeps) {
  return { show, submit, describe }

  /** The same for whoever asks without a browser of the person's. */
  async function describe(asked: Asked) {
    const wanted = await wantedBy(asked)
    const details = detailsOf(asked.parameters.authorization_details)
    return { wanted, details, items: await itemsOf(asked, wanted) }
  }

  async function show(ctx: Context, flow: Flow): Promise<void> {
    const app = await appOfFlow(deps, flow)
    draw(ctx, deps, 'consent', {
      action: pathOf(flow.id, 'consent'),
      app: app ?? { name: flow.clientId },
      username: String(flow.account?.username),
      switchHref: pathOf(flow.id, 'select-account'),
      items: await itemsOf(flow, await wantedBy(flow)),
    })
  }

  async function submit(ctx: Context, flow: Flow): Promise<void> {
    const allowed = formOf(ctx).decision === 'allow'
    const { pool, db } = deps.database
    const wanted = await wantedBy(flow)
    assertFinished(
      allowed
        ? await finishConsent(pool, flow, wanted)
        : await finishWithError(pool, flow, 'access_denied'),
    )
    const accountId = String(flow.account?.id)
    await record(db, {
      type: allowed ? 'consent.given' : 'consent.refused',
      actor: { kind: 'person', id: accountId },
      accountId,
      clientId: flow.clientId,
      origin: ctx.state.origin,
      detail: {
        scopes: wanted.scopes,
        claims: wanted.claims,
        resources: wanted.resources,
        authorizationDetails: detailsOf(flow.parameters.authorization_details),
      },
    })
    seeOther(ctx, flow.returnTo)
  }

  /** What was asked for when the flow began; nothing that a form sends can add to it. */
  async function wantedBy(flow: Asked): Promise<Wanted> {
    const asked = (flow.parameters.scope ?? '').split(' ').filter((scope) => scope !== '')
    const client = await deps.clients.client(flow.clientId)
    const resources = [flow.parameters.resource ?? []].flat().map((identifier) => {
      const api = client?.apis.find((allowed) => allowed.identifier === identifier)
      return [identifier, asked.filter((scope) => api?.scopes.includes(scope))] as const
    })
    return {
      scopes: asked.filter((scope) => standardScopes.includes(scope)),
      claims:
        flow.prompt === undefined
          ? claimsOf(flow.parameters.claims)
          : ((flow.prompt.details.missingOIDCClaims as string[] | undefined) ?? []),
      resources: Object.fromEntries(resources),
    }
  }

  async function itemsOf(flow: Asked, wanted: Wanted): Promise<ConsentItem[]> {
    const { account } = flow
    const items: ConsentItem[] = []
    const wants = (scope: string, ...claims: string[]) =>
      wanted.scopes.includes(scope) || claims.some((claim) => wanted.claims.includes(claim))
    if (wants('profile', ...claimsByScope.profile)) {
      const username = String(account?.username)
      const name = String(account?.name)
      items.push({ kind: 'profile', username, name: name === username ? undefined : name })
    }
    if (wants('email', ...claimsByScope.email)) {
      items.push({ kind: 'email', email: String(account?.email), verified: true })
    }
    if (wants('address', ...claimsByScope.address)) {
      items.push({ kind: 'address', lines: addressLines(account?.address) })
    }
    if (wants('phone', ...claimsByScope.phone)) {
      const verified = account?.phone_number_verified_at != null
      items.push({ kind: 'phone', number: asText(account?.phone_number), verified })
    }
    if (wants('groups', ...claimsByScope.groups)) {
      items.push({ kind: 'groups', groups: groupNames(account) })
    }
    if (wants('roles', ...claimsByScope.roles)) {
      items.push({ kind: 'roles', roles: roleNames(account, flow.clientId) })
    }
    if (wants('permissions', ...claimsByScope.permissions)) {
      const permissions = await permissionNames(account, flow.clientId, deps.roleTexts)
      items.push({ kind: 'permissions', permissions: permissions.slice(0, mostShown) })
    }
    if (wants('service_settings', ...claimsByScope.service_settings)) {
      items.push({ kind: 'settings' })
    }
    for (const [identifier, scopes] of Object.entries(wanted.resources)) {
      // An API that nothing was asked of gets nothing.
      if (scopes.length === 0) continue
      const api = await deps.clients.api(identifier)
      items.push({
        kind: 'api',
        api: api?.name ?? identifier,
        scopes: scopes.map((scope) => ({ scope })),
        own: api?.builtIn ?? false,
      })
    }
    for (const detail of detailsOf(flow.parameters.authorization_details)) {
      items.push(describeDetail(deps.detailTypes().get(detail.type), detail))
    }
    if (wants('offline_access')) items.push({ kind: 'offline' })
    return items.length > 0 ? items : [{ kind: 'identifier' }]
  }
}

/** Nobody reads on. */
const mostShown = 20

/** As on a letter, else its parts in their order; empty when there is none. */
function addressLines(address: unknown): string[] {
  const parts = (address ?? {}) as Address
  const { formatted } = parts
  const shown = formatted ? [formatted] : addressMembers.map((member) => parts[member] ?? '')
  return shown.flatMap((part) => part.split('\n')).filter((line) => line.trim() !== '')
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
