/** Rules for what a client may ask for: grant types, response types, scopes. */
import type { ClientMetadata } from '../metadata.ts'
import { isStandardScope, splitScope } from '../scopes.ts'
import { type Problem, shorten } from './problem.ts'

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
export const backchannelGrant = 'urn:openid:params:grant-type:ciba'

const grantTypes: readonly string[] = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  deviceGrant,
  backchannelGrant,
]

/** Those that a person says yes to. */
const grantsOfPeople: readonly string[] = ['authorization_code', deviceGrant, backchannelGrant]

export function signsPeopleIn({ grant_types: grants }: Pick<ClientMetadata, 'grant_types'>) {
  return grants.some((grant) => grantsOfPeople.includes(grant))
}

export function checkGrants(metadata: ClientMetadata): Problem[] {
  const { grant_types: grants, response_types: responses, scope = '' } = metadata
  const problems: Problem[] = []
  const add = (code: string, message: string, fix: string) =>
    problems.push({ field: 'grant_types', code, message, fix })
  for (const grant of grants.filter((name) => !grantTypes.includes(name))) {
    add('grant_type_unknown', `contains ${shorten(grant)}`, `Use ${grantTypes.join(', ')}.`)
  }
  if (grants.length === 0)
    add('grant_type_missing', 'is empty', `Use one of ${grantTypes.join(', ')}.`)
  if (grants.includes('refresh_token') && !signsPeopleIn(metadata)) {
    add(
      'grant_type_lonely',
      'has refresh_token alone',
      'Add authorization_code, which hands out the first one.',
    )
  }
  if (splitScope(scope).includes('offline_access') && !grants.includes('refresh_token')) {
    add(
      'grant_type_missing',
      'lacks refresh_token, which the scope offline_access asks for',
      'Add refresh_token.',
    )
  }
  const wanted = grants.includes('authorization_code') ? ['code'] : []
  if (responses.join(' ') !== wanted.join(' ')) {
    problems.push({
      field: 'response_types',
      code: 'response_type_unknown',
      message: `is ${JSON.stringify(responses)}`,
      fix: `With these grant types it must be ${JSON.stringify(wanted)}.`,
    })
  }
  return problems
}

export function checkScope(metadata: ClientMetadata): Problem[] {
  const scopes = splitScope(metadata.scope ?? '')
  const foreign = scopes.filter((name) => !isStandardScope(name))
  const problems = foreign.map((name) => ({
    field: 'scope',
    code: 'scope_unknown',
    message: `contains ${shorten(name)}, which nobody offers`,
    fix: 'See `idp apis list` for the scopes of APIs.',
  }))
  if (scopes.length > 0 && !signsPeopleIn(metadata)) {
    problems.push({
      field: 'scope',
      code: 'scope_of_people',
      message: `contains ${scopes.join(' ')}, which speak of a person, but no person signs in to this client`,
      fix: 'Name scopes of an API, or use a preset with the authorization_code grant.',
    })
  }
  return problems
}
