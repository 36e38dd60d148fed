/** What the protocol asks of the pages door. The implementation is pages/protocol.ts; app.ts hands it over. */
import type { Context } from 'koa'
import type { ErrorOut, Interaction, KoaContextWithOIDC } from 'oidc-provider'

export type ProtocolPages = {
  /** Where a person goes on: a path below `/sign-in/<flow>`, since the flow's cookie is bound to it. */
  interactionPath(interaction: Interaction): string
  /** An error that must not be redirected. */
  renderError(ctx: KoaContextWithOIDC, out: ErrorOut, error: Error): Promise<void>
  /** Draws `/device`. Undefined when the person has answered about a code, and the engine goes on with it. */
  device(ctx: Context): Promise<DeviceAnswer | undefined>
  /** A code cannot be gone on with, or the person has refused; `error` is the engine's. */
  deviceRefused(ctx: KoaContextWithOIDC, out: ErrorOut, error: Error): Promise<void>
  /** The device has what it asked for. */
  deviceConnected(ctx: KoaContextWithOIDC): Promise<void>
  /** `form` is the engine's form; its `xsrf` value is the proof that the page was ours. */
  logoutSource(ctx: KoaContextWithOIDC, form: string): Promise<void>
  postLogoutSuccessSource(ctx: KoaContextWithOIDC): Promise<void>
  /** Somebody finished this flow already, in another tab or by a second click. */
  renderAlreadyDone(ctx: KoaContextWithOIDC): Promise<void>
  /** Called when a session has ended, before its page: remembers for a while what ended with it. */
  sessionEnded(ctx: KoaContextWithOIDC, ended: EndedSession): Promise<void>
}

/** Which apps a session had signed in to, and which of them asked for its end. */
export type EndedSession = { uid: string; clientIds: string[]; askedBy?: string | undefined }

/** A person's word about a code; `clientId` is whose device it is. */
export type DeviceAnswer = { userCode: string; allowed: boolean; clientId: string }

/** Where people stand after signing out, and may come back to while apps are still being told. */
export const signedOutPath = '/oauth2/logout/success'
