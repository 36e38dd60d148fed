/** Whoever names an address inside a network learns at once, and not at the first sign-out, what it takes to call it. */
import { isIP } from 'node:net'
import type { Client } from '../clients/clients.ts'
import { isPublicAddress } from '../outgoing/addresses.ts'
import { hostOf, portOf } from '../outgoing/targets.ts'
import type { Output } from './output.ts'

/** Addresses that the server will call, as opposed to those that browsers go to. */
const called = [
  'backchannel_logout_uri',
  'backchannel_client_notification_endpoint',
  'jwks_uri',
  'sector_identifier_uri',
] as const

/** Looks at what is written there; what a name leads to is seen when it is called. */
export function notePrivateTargets(out: Output, { metadata }: Pick<Client, 'metadata'>): void {
  for (const uri of called.map((field) => metadata[field])) {
    if (uri === undefined) continue
    const url = new URL(uri)
    const host = hostOf(url)
    if (host !== 'localhost' && (isIP(host) === 0 || isPublicAddress(host))) continue
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${portOf(url)}`
    out.say(`Note: the server calls ${uri} only if its ALLOW_PRIVATE_TARGETS names ${target}.`)
  }
}
