/** A client whose userinfo asks for a sign-in that nobody can do here: said when it is set, and when it is tested. */
import type { Client } from '../clients/clients.ts'
import { reaches } from '../clients/levels.ts'
import { type Factor, offeredFactors, reachableLevels } from '../credentials/step-up.ts'
import type { Output } from './output.ts'
import type { Check } from './sign-in-probe.ts'

/** Undefined where somebody can reach it by what is offered, or nothing is asked for. */
export function unreachableLevel(
  { userinfoAcr: acr }: Pick<Client, 'userinfoAcr'>,
  offered: readonly Factor[] = offeredFactors,
) {
  if (acr === null) return undefined
  return reachableLevels(offered).some((level) => reaches(level, acr)) ? undefined : acr
}

export function noteUnreachableLevel(out: Output, client: Client): void {
  const acr = unreachableLevel(client)
  if (!acr) return
  out.say(
    `Warning: nobody can sign in as strongly as ${acr} here, so userinfo refuses ${client.name} always.`,
  )
  out.say(`  ${fixFor(client)}`)
}

/** Empty where there is nothing to say. */
export function checkLevel(client: Client): Check[] {
  const acr = unreachableLevel(client)
  if (!acr) return []
  const detail = `userinfo asks for ${acr}, and nobody can sign in here as strongly as that`
  return [{ check: 'somebody can reach userinfo', status: 'failed', detail, fix: fixFor(client) }]
}

function fixFor({ id }: Client): string {
  return `idp clients update ${id} --userinfo-acr any`
}
