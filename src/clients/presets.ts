/**
 * Presets: what a known app asks of us, so that an admin types its name and its address and nothing else.
 * Data and the filling in of places; whether the result may be stored is metadata.ts.
 */
import type { ClientMetadata } from './metadata.ts'
import { files } from './presets/files.ts'
import { gateways } from './presets/gateways.ts'
import type { Preset } from './presets/preset.ts'
import { shapes } from './presets/shapes.ts'
import { work } from './presets/work.ts'

export type { Preset } from './presets/preset.ts'

/** In the order in which they are listed. */
export const presets: readonly Preset[] = [...shapes, ...files, ...work, ...gateways]

const byName = new Map(presets.map((preset) => [preset.name, preset]))

export function findPreset(name: string): Preset | undefined {
  return byName.get(name)
}

/** True when its addresses are derived from the app's, so --app-url or --redirect-uri must be given. */
export function needsAppUrl({ redirectUris }: Preset): boolean {
  return redirectUris.some((uri) => uri.includes('{app}'))
}

/** The addresses a preset knows, filled in; those that hang on an app address that is not given are left out. */
export function presetUris(
  preset: Preset,
  appUrl: string | undefined,
): { redirectUris: string[]; postLogoutRedirectUris: string[] } {
  const place = (uris: string[]) =>
    uris
      .filter((uri) => appUrl !== undefined || !uri.includes('{app}'))
      .map((uri) => uri.replace('{app}', trimSlashes(appUrl ?? '')))
  return {
    redirectUris: place(preset.redirectUris),
    postLogoutRedirectUris: place(preset.postLogoutRedirectUris),
  }
}

/** The configuration to paste on the app's side, and the notes. A secret that is not known here stays a place. */
export function presetSetup(
  preset: Preset,
  values: {
    issuer: string
    clientId: string
    clientSecret?: string | undefined
    metadata: Pick<ClientMetadata, 'client_uri' | 'redirect_uris' | 'scope'>
  },
): { setup: string; notes: string[] } {
  const {
    client_uri: appUrl = 'https://app.example.org',
    redirect_uris: redirects,
    scope = '',
  } = values.metadata
  const known: Record<string, string> = {
    issuer: values.issuer,
    client_id: values.clientId,
    client_secret: values.clientSecret ?? '<client secret>',
    app: trimSlashes(appUrl),
    redirect_uri: redirects[0] ?? '',
    scope,
  }
  const fill = (text: string) =>
    text.replace(/\{(\w+)\}/g, (place, name: string) => known[name] ?? place)
  return { setup: fill(preset.setup), notes: (preset.notes ?? []).map(fill) }
}

/** Both spellings of an app's address mean the same place. */
export function trimSlashes(url: string): string {
  return url.replace(/\/+$/, '')
}
