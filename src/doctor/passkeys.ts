/** The passkey domain against the issuer: a passkey belongs to its domain for ever, and works nowhere else. */
import { countByDomain, findRelyingParty, relyingPartyOf } from '../credentials/passkey-domain.ts'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

export async function checkPasskeys({ config, database }: Patient): Promise<Finding[]> {
  if (!database) return []
  const own = relyingPartyOf(config)
  const domain = own && (await findRelyingParty(database.db, own)).id
  return judgePasskeys({ issuer: config.issuer, domain, counts: await countByDomain(database.db) })
}

export function judgePasskeys(seen: {
  issuer: string
  /** Undefined where the issuer is a bare address. */
  domain: string | undefined
  counts: { rpId: string; passkeys: number }[]
}): Finding[] {
  const check = 'passkeys.domain'
  const { issuer, domain, counts } = seen
  if (domain === undefined) {
    return [
      warning(check, `${issuer} is a bare address: browsers make no passkeys for it`, {
        expected: 'an issuer with a name',
        fix: 'ISSUER=https://id.example.org',
      }),
    ]
  }
  const lost = counts.filter(({ rpId }) => rpId !== domain)
  return lost.length === 0
    ? [ok(check, domain)]
    : lost.map(({ rpId, passkeys }) =>
        broken(check, `${passkeys} passkeys are of ${rpId} and do not work at ${domain}`, {
          expected: `passkeys of ${domain}`,
          fix: `idp passkeys keep-domain ${rpId}, and at ${rpId}: idp passkeys allow-origin ${issuer}`,
        }),
      )
}

/** A domain that is kept after a move has to go on naming the new issuer, in public (WebAuthn §5.11). */
export async function checkKeptDomain({ config, database, world }: Patient): Promise<Finding[]> {
  const check = 'passkeys.related'
  const own = relyingPartyOf(config)
  if (!database || !own) return []
  const { id } = await findRelyingParty(database.db, own)
  const { hostname, origin } = new URL(config.issuer)
  if (hostname === id || hostname.endsWith(`.${id}`))
    return [skipped(check, 'the domain is the issuer’s own')]
  return [judgeRelated(origin, id, await readOrigins(world, id))]
}

async function readOrigins(world: Patient['world'], domain: string): Promise<string[] | string> {
  try {
    const response = await world.outgoing(`https://${domain}/.well-known/webauthn`)
    const { origins } = (await response.json()) as { origins?: unknown }
    return Array.isArray(origins) ? origins.map(String) : `it answers ${response.status}`
  } catch (error) {
    return (error as Error).message
  }
}

/** `origins` as its `/.well-known/webauthn` names them, or why it could not be read. */
export function judgeRelated(origin: string, domain: string, origins: string[] | string): Finding {
  const check = 'passkeys.related'
  if (Array.isArray(origins) && origins.includes(origin))
    return ok(check, `${domain} names ${origin}`)
  const seen = Array.isArray(origins) ? `names ${origins.join(', ') || 'nobody'}` : origins
  return broken(check, `https://${domain}/.well-known/webauthn: ${seen}`, {
    expected: origin,
    fix: `at ${domain}: idp passkeys allow-origin ${origin}`,
  })
}
