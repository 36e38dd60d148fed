/** Which pages in a browser an app has: those whose origin one of its redirect URIs has. */
import type { Client } from 'oidc-provider'

/** Schemes of apps' own have the origin "null", and so have sandboxed frames. */
export function isOriginOf(client: Client, origin: string): boolean {
  return (
    origin !== 'null' &&
    (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin)
  )
}
