/** The rules of a provider's settings: every mistake at once, each with its fix. */
import { createPrivateKey } from 'node:crypto'
import type { Problem } from '../clients/metadata.ts'
import { shorten } from '../clients/rules/problem.ts'
import { hasManyTenants, presets } from './presets.ts'
import type { ProviderInput } from './providers.ts'

const rolePattern = /^[a-z][a-z0-9_.:-]{0,63}$/
const tenantPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function checkProvider(
  input: ProviderInput,
  given: {
    ourIssuer: string
    allowAdminRole?: boolean | undefined
    /** Roles that may everything. */
    mighty?: readonly string[]
  },
): Problem[] {
  const { ourIssuer, allowAdminRole = false, mighty = ['admin'] } = given
  const problems: Problem[] = []
  const add = (field: string, code: string, message: string, fix: string) =>
    problems.push({ field, code, message, fix })
  const preset = presets[input.preset]

  if (!/^[a-z][a-z0-9-]{0,39}$/.test(input.id)) {
    const fix = 'Use small letters, digits and -; it stands in the callback address.'
    add('id', 'id_malformed', `${shorten(input.id)} cannot be an id`, fix)
  }
  const name = input.name.trim()
  if (name === '' || Array.from(name).length > 60 || /\p{Cc}/u.test(name)) {
    add('provider_name', 'name_invalid', 'cannot be shown', 'Give 1 to 60 characters: --name')
  }
  checkIssuer()
  if (!/^[\x21-\x7e]{1,255}$/.test(input.clientId)) {
    add('upstream_client_id', 'client_id_malformed', 'is no client id', 'Give what it told you.')
  }
  checkSecret()
  const scopes = input.scope.split(' ')
  if (
    !scopes.includes('openid') ||
    scopes.some((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
  )
    add('scope', 'scope_invalid', 'does not hold openid', `Use “${preset.scope}”.`)
  if (input.trustEmail && !preset.mayTrustEmail) {
    add(
      'trust_email',
      'email_not_proven',
      'is not for Microsoft: whoever runs any tenant writes any address there',
      'Leave it off; people prove their address to us.',
    )
  }
  if (input.tenants.length > 0 && !hasManyTenants(input)) {
    const fix = 'Leave it off; its issuer is the tenant.'
    add('tenants', 'tenants_unused', 'is for an issuer with many tenants', fix)
  }
  for (const tenant of input.tenants.filter((id) => !tenantPattern.test(id))) {
    const fix = 'Give its directory (tenant) id, small letters.'
    add('tenants', 'tenant_malformed', `contains ${shorten(tenant)}`, fix)
  }
  for (const { claim, value, role } of input.roleMap) {
    if (claim === '' || value === '' || !rolePattern.test(role) || role === 'user') {
      const fix = 'Write claim:value=role.'
      add('role_map', 'role_map_malformed', `contains ${shorten(`${claim}:${value}=${role}`)}`, fix)
    } else if (mighty.includes(role) && !allowAdminRole) {
      const message = `lets ${shorten(name)} give ${role}, which may everything`
      add('role_map', 'admin_role', message, 'If that is meant: --allow-admin-role')
    }
  }
  return problems

  function checkIssuer(): void {
    const { issuer } = input
    const url = URL.parse(issuer)
    const loopback = url && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
    if (!url || url.search || url.hash || url.username || /[^\x21-\x7e]/.test(issuer)) {
      add(
        'upstream_issuer',
        'issuer_malformed',
        `${shorten(issuer)} is no issuer`,
        'Give an address.',
      )
    } else if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
      add('upstream_issuer', 'issuer_insecure', `${shorten(issuer)} is not https`, 'Use https.')
    } else if (issuer === ourIssuer) {
      add('upstream_issuer', 'issuer_reserved', 'is our own', 'Name another one.')
    }
    if (preset.issuer && issuer !== preset.issuer) {
      add('upstream_issuer', 'issuer_fixed', `is ${preset.issuer} there`, 'Leave it off.')
    }
  }

  function checkSecret(): void {
    const { secret } = input
    if (preset.secret === 'client-secret') {
      if (!secret) {
        const fix = 'Give --client-secret-file FILE; - is standard input.'
        add('secret', 'secret_required', 'is missing', fix)
      }
      return
    }
    for (const [field, flag, given] of [
      ['apple_team_id', '--team-id', input.appleTeamId],
      ['apple_key_id', '--key-id', input.appleKeyId],
    ] as const) {
      if (!/^[A-Z0-9]{10}$/.test(given ?? ''))
        add(field, 'apple_id_malformed', 'is ten capitals and digits', `Give ${flag}.`)
    }
    if (!isP256(secret)) {
      const fix = 'Give --private-key-file with the AuthKey_….p8 that Apple let you load down.'
      add('secret', 'key_required', 'is no private key on P-256', fix)
    }
  }
}

function isP256(pem: string | undefined): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem ?? '')
    return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1'
  } catch {
    return false
  }
}
