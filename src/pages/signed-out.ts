/**
 * The page after signing out, which says of each app what is true: it was told, it is being told, its browser frame
 * was asked, or it keeps its own session. Which session ended travels in a sealed cookie for ten minutes, so that
 * looking again shows how far the news has come.
 */
import type { Context } from 'koa'
import type { StoredClient } from '../clients/clients.ts'
import { upstreamToLeave } from '../federation/logout.ts'
import { hostCookieName, readCookie, setCookie } from '../http/cookies.ts'
import { accountClientId } from '../oidc/account-client.ts'
import { lifetimes } from '../oidc/lifetimes.ts'
import { type EndedSession, signedOutPath } from '../oidc/protocol-pages.ts'
import { type DeliveryState, deliveriesOf } from '../sessions/logout-deliveries.ts'
import { offlineSince, sessionIdFor } from '../sessions/sessions.ts'
import type { EndedApp } from '../views/page-data.ts'
import { draw, type PagesDeps } from './context.ts'

export type SignedOutPage = {
  /** For the page to come; `onward` is where the browser was to go instead of it. */
  remember(ctx: Context, ended: EndedSession & { onward?: string }): void
  show(ctx: Context): Promise<void>
  /** Whether an app can only be told from the page itself. */
  needsPage(clientIds: string[]): Promise<boolean>
  /** Which session of this browser has ended a moment ago. */
  endedUid(ctx: Context): string | undefined
}

type Remembered = { uid: string; ids: string[]; asked?: string; onward?: string }

const rememberedSeconds = 600
/** Browsers drop a cookie of more than 4 KB, name and attributes included. */
const mostCharacters = 3800
const mostApps = 20
const longestOnward = 800

export function signedOutPage(deps: PagesDeps): SignedOutPage {
  const secure = deps.config.issuer.startsWith('https:')
  const cookie = hostCookieName('ended', secure)
  const { db } = deps.database

  return { remember, show, needsPage, endedUid: (ctx) => recall(ctx)?.uid }

  async function needsPage(clientIds: string[]): Promise<boolean> {
    const clients = await Promise.all(clientIds.map((id) => deps.clients.client(id)))
    return clients.some((client) => client?.metadata.frontchannel_logout_uri !== undefined)
  }

  function remember(
    ctx: Context,
    { uid, clientIds, askedBy, onward }: EndedSession & { onward?: string },
  ): void {
    const ended: Remembered = {
      uid,
      ids: clientIds.filter((id) => id !== accountClientId).slice(0, mostApps),
      ...(askedBy ? { asked: askedBy } : {}),
      ...(onward && onward.length <= longestOnward ? { onward } : {}),
    }
    setCookie(ctx, cookie, sealed(ended), { secure, maxAgeSeconds: rememberedSeconds })
  }

  function sealed(ended: Remembered): string {
    const value = deps.keyring.seal('ended', 'session', JSON.stringify(ended)).toString('base64url')
    if (value.length <= mostCharacters) return value
    return sealed({ ...ended, ids: ended.ids.slice(0, -1) })
  }

  async function show(ctx: Context): Promise<void> {
    const ended = recall(ctx)
    const clients = (
      await Promise.all((ended?.ids ?? []).map((id) => deps.clients.client(id)))
    ).filter((client) => client !== undefined)
    const apps = ended ? await appsOf(ended, clients) : []
    const frames = ended ? framesOf(ended.uid, clients) : []
    allowFrames(ctx, frames)
    const upstream = ended && (await upstreamToLeave({ db, providers: deps.providers }, ended.uid))
    const asked = clients.find(({ id }) => id === ended?.asked)
    draw(ctx, deps, 'signed-out', {
      apps,
      frames,
      signInHref: '/sign-in',
      ...(upstream ? { upstream: { name: upstream.name, action: '/signed-out/upstream' } } : {}),
      ...(asked ? { app: { name: asked.name } } : {}),
      ...(ended?.onward ? { backHref: ended.onward } : {}),
      ...(apps.some(({ state }) => state === 'pending') ? { againHref: signedOutPath } : {}),
    })
  }

  function recall(ctx: Context): Remembered | undefined {
    const value = readCookie(ctx, cookie)
    if (!value) return undefined
    try {
      const opened = deps.keyring.open('ended', 'session', Buffer.from(value, 'base64url'))
      return JSON.parse(opened.toString()) as Remembered
    } catch {
      return undefined
    }
  }

  async function appsOf(ended: Remembered, clients: StoredClient[]): Promise<EndedApp[]> {
    const deliveries = await deliveriesOf(db, ended.uid)
    const offline = await offlineSince(db, ended.uid)
    return clients.map(({ id, name, metadata, refreshTotalSeconds }) => {
      const state = stateOf(deliveries.get(id), {
        asked: id === ended.asked,
        framed: metadata.frontchannel_logout_uri !== undefined,
      })
      const since = offline.get(id)
      if (!since || (state !== 'keeps' && state !== 'untold')) return { name, state }
      const longest = refreshTotalSeconds ?? lifetimes.refreshTokenTotal
      return { name, state, until: new Date(since.getTime() + longest * 1000) }
    })
  }

  /** Front-Channel Logout 1.0 §3. */
  function framesOf(uid: string, clients: StoredClient[]): string[] {
    return clients.flatMap(({ id, metadata: { frontchannel_logout_uri: uri } }) => {
      if (uri === undefined) return []
      const frame = new URL(uri)
      frame.searchParams.set('iss', deps.config.issuer)
      frame.searchParams.set('sid', sessionIdFor(uid, id))
      return [frame.href]
    })
  }
}

function stateOf(
  delivery: DeliveryState | undefined,
  { asked, framed }: { asked: boolean; framed: boolean },
): EndedApp['state'] {
  // Whoever asks for the end has ended its own session first.
  if (asked) return 'ended'
  if (delivery === 'told' || delivery === 'pending') return delivery
  if (framed) return 'asked'
  return delivery === undefined ? 'keeps' : 'untold'
}

/** Exactly the places of these frames, on this page alone. */
function allowFrames(ctx: Context, frames: string[]): void {
  if (frames.length === 0) return
  const places = [...new Set(frames.map((frame) => new URL(frame).origin))]
  const policy = ctx.response.get('Content-Security-Policy')
  ctx.set('Content-Security-Policy', `${policy}; frame-src ${places.join(' ')}`)
}
