/** What is offered only while an admin has opened it: registration by tokens, clients by documents of allowed hosts. */

import type { ScopePolicy } from '../clients/access.ts'
import { someClientChallenges } from '../clients/clients.ts'
import { listMetadataHosts } from '../clients/metadata-hosts.ts'
import { registrationOpenUntil } from '../clients/registration-tokens.ts'
import type { Db } from '../database/connection.ts'
import { challengePath } from './authorization-challenge.ts'

export type Offers = {
  /** Until when somebody could register: null for ever, undefined when nobody can. */
  registrationUntil: Date | null | undefined
  /** Some app of ours asks for passwords itself. */
  challenges: boolean
  /** Hosts whose documents may speak for a client, with what such clients may ask for. */
  metadataHosts: Map<string, ScopePolicy>
}

export async function readOffers(db: Db): Promise<Offers> {
  const hosts = await listMetadataHosts(db)
  return {
    challenges: await someClientChallenges(db),
    registrationUntil: await registrationOpenUntil(db),
    metadataHosts: new Map(hosts.map((allowed) => [allowed.host, allowed])),
  }
}

/** Members of discovery that come and go with what is open now. */
export function offeredMembers(
  { registrationUntil: until, metadataHosts, challenges }: Offers,
  issuer: string,
  now: Date = new Date(),
): Record<string, unknown> {
  const registers = until === null || (until !== undefined && until > now)
  return {
    ...(registers ? { registration_endpoint: `${issuer}/oauth2/register` } : {}),
    ...(challenges ? { authorization_challenge_endpoint: `${issuer}${challengePath}` } : {}),
    ...(metadataHosts.size > 0 ? { client_id_metadata_document_supported: true } : {}),
  }
}
