/** What the protocol asks of the pages door. The implementation is pages/protocol.ts; app.ts hands it over. */
import type { ErrorOut, Interaction, KoaContextWithOIDC } from 'oidc-provider'

export type ProtocolPages = {
  /** Where a person goes on: a path below `/sign-in/<flow>`, since the flow's cookie is bound to it. */
  interactionPath(interaction: Interaction): string
  /** An error that must not be redirected. */
  renderError(ctx: KoaContextWithOIDC, out: ErrorOut, error: Error): Promise<void>
  /** `form` is the engine's form; its `xsrf` value is the proof that the page was ours. */
  logoutSource(ctx: KoaContextWithOIDC, form: string): Promise<void>
  postLogoutSuccessSource(ctx: KoaContextWithOIDC): Promise<void>
  /** Somebody finished this flow already, in another tab or by a second click. */
  renderAlreadyDone(ctx: KoaContextWithOIDC): Promise<void>
}
