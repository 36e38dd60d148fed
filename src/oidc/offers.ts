/** What is offered only while an admin has opened it: registration by tokens, clients by documents of allowed hosts. */
import { registrationOpenUntil } from '../clients/registration-tokens.ts'
import type { Db } from '../database/connection.ts'

export type Offers = {
  /** Until when somebody could register: null for ever, undefined when nobody can. */
  registrationUntil: Date | null | undefined
}

export async function readOffers(db: Db): Promise<Offers> {
  return { registrationUntil: await registrationOpenUntil(db) }
}

/** Members of discovery that come and go with what is open now. */
export function offeredMembers(
  { registrationUntil: until }: Offers,
  issuer: string,
  now: Date = new Date(),
): Record<string, unknown> {
  const registers = until === null || (until !== undefined && until > now)
  return registers ? { registration_endpoint: `${issuer}/oauth2/register` } : {}
}
