/** Rules for how strongly, how recently and where people sign in to a client. */
import { isLevel, levels } from '../levels.ts'
import type { ClientMetadata } from '../metadata.ts'
import type { ClientPolicy } from '../policy.ts'
import { type Problem, shorten } from './problem.ts'

const longestAgeSeconds = 365 * 86_400

export function checkStepUp(metadata: ClientMetadata, policy: ClientPolicy): Problem[] {
  const { default_acr_values: wished = [], grant_types: grants } = metadata
  const { userinfoAcr, userinfoMaxAgeSeconds: age, authorizationChallenge } = policy
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  for (const acr of wished.filter((value) => !isLevel(value))) {
    add(
      'default_acr_values',
      'acr_unknown',
      `contains ${shorten(acr)}`,
      `Use ${levels.join(', ')}.`,
    )
  }
  if (userinfoAcr !== null && !isLevel(userinfoAcr)) {
    add('userinfo_acr', 'acr_unknown', `is ${shorten(userinfoAcr)}`, `Use ${levels.join(', ')}.`)
  }
  if (age !== null && !(Number.isInteger(age) && age >= 1 && age <= longestAgeSeconds)) {
    add(
      'userinfo_max_age',
      'lifetime_out_of_range',
      `is ${age} seconds`,
      `Use 1 to ${longestAgeSeconds} seconds.`,
    )
  }
  if (authorizationChallenge && !grants.includes('authorization_code')) {
    add(
      'authorization_challenge',
      'challenge_unused',
      'is set, but no person signs in to this client',
      'Leave it out, or use a preset with the authorization_code grant.',
    )
  }
  return problems
}

/** Nobody gives a password to an app of somebody else's, nor past what a profile asks of every request. */
export function checkChallenge(
  metadata: ClientMetadata,
  { authorizationChallenge, profile }: ClientPolicy,
  firstParty: boolean,
): Problem[] {
  const field = 'authorization_challenge'
  if (!authorizationChallenge) return []
  if (!firstParty) {
    return [
      {
        field,
        code: 'challenge_foreign',
        message: 'is set, but the app is not our own',
        fix: 'Add --first-party if it is, or --no-authorization-challenge.',
      },
    ]
  }
  const strict = profile ?? (metadata.require_pushed_authorization_requests ? 'PAR' : undefined)
  if (strict === undefined && metadata.require_signed_request_object !== true) return []
  return [
    {
      field,
      code: 'challenge_unsafe',
      message: 'is set beside rules that its requests would go past',
      fix: 'Leave out the profile, --require-par and --request-objects, or the challenge.',
    },
  ]
}
