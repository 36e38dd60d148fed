/** What every page is given, and the two ways to answer: a page, or the way to another. */
import type { Context } from 'koa'
import type { StoredClient } from '../clients/clients.ts'
import { documentPreset } from '../clients/document-client.ts'
import type { Config } from '../config.ts'
import type { JudgePassword } from '../credentials/new-password.ts'
import type { Hasher } from '../credentials/password-hasher.ts'
import type { Keyring } from '../crypto.ts'
import type { Database } from '../database/connection.ts'
import type { ProviderCache } from '../federation/provider-cache.ts'
import type { UpstreamError } from '../federation/upstream-error.ts'
import type { Upstreams } from '../federation/upstreams.ts'
import type { BlockedAddresses } from '../http/blocked-addresses.ts'
import type { Csrf } from '../http/csrf.ts'
import type { KnownDevices } from '../http/known-device.ts'
import type { Limits } from '../http/limits.ts'
import { languageLinks } from '../http/locale.ts'
import type { SignInResult } from '../http/metrics.ts'
import type { RememberedCookie } from '../http/remembered-cookie.ts'
import type { SignInLimits } from '../http/sign-in-limits.ts'
import type { DetailTypes } from '../oidc/authorization-details.ts'
import type { ClientCache } from '../oidc/client-cache.ts'
import type { RoleTexts } from '../oidc/role-claims.ts'
import type { SignInPolicies } from '../oidc/sign-in-policies.ts'
import type { RegistrationDeps } from '../registration/deps.ts'
import type { App } from '../views/page-data.ts'
import type { PageData, Views } from '../views.ts'

export type PagesDeps = {
  config: Config
  database: Pick<Database, 'db' | 'pool'>
  keyring: Keyring
  hasher: Hasher
  judgePassword: JudgePassword
  views: Views
  csrf: Csrf
  limits: Limits
  signInLimits: SignInLimits
  blocked: Pick<BlockedAddresses, 'refuse' | 'wrongCode'>
  knownDevices: KnownDevices
  rememberedCookie: RememberedCookie
  clients: ClientCache
  /** What is asked of people beside what their app asks. */
  policies: SignInPolicies
  /** What roles allow. */
  roleTexts: RoleTexts
  /** What may be asked for in detail, with the words for it. */
  detailTypes(): DetailTypes
  registration: RegistrationDeps
  /** Who signs people in for us, and the connection to them. */
  providers: ProviderCache
  upstreams: Upstreams
  /** Told to whoever runs this: pages say it in a few words of ours. */
  onUpstreamProblem(providerId: string, error: UpstreamError): void
  /** Counted for the metrics. */
  onSignIn(result: SignInResult): void
}

/** Links of the footer come by themselves, and so does the csrf field where a page has a form. */
type Given<N extends keyof PageData> = Omit<PageData[N], 'languageLinks' | 'csrf'>

/** Draws a page; `status` is 200 unless the page says that something was refused. */
export function draw<N extends keyof PageData>(
  ctx: Context,
  deps: Pick<PagesDeps, 'views' | 'csrf'>,
  name: N,
  data: Given<N>,
  status = 200,
): void {
  const { locale, nonce } = ctx.state
  const whole = { ...data, languageLinks: languageLinks(ctx), csrf: deps.csrf.token(ctx) }
  ctx.status = status
  ctx.type = 'html'
  ctx.body = deps.views.page(name, whole as unknown as PageData[N], { locale, nonce })
}

/** After a POST: the browser goes on by GET, so that reloading sends nothing twice. */
export function seeOther(ctx: Context, location: string): void {
  ctx.status = 303
  ctx.redirect(location)
}

/** The app as its pages name it. */
export async function appOf(
  clients: ClientCache,
  clientId: string,
  redirectUri: string | undefined,
): Promise<App | undefined> {
  const client = await clients.client(clientId)
  if (!client) return undefined
  const host = redirectUri ? URL.parse(redirectUri)?.host : undefined
  const unverified = unverifiedOf(client)
  return { name: client.name, ...(host ? { host } : {}), ...(unverified ? { unverified } : {}) }
}

/** An admin has looked at an app that is made by hand, or has called it our own. */
function unverifiedOf(client: StoredClient): App['unverified'] {
  if (client.firstParty) return undefined
  if (client.preset === documentPreset) return { by: new URL(client.id).host }
  return client.registeredWith ? {} : undefined
}
