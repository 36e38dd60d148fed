/**
 * What a service has to ask of an access token of ours before it does anything (RFC 9068 §4): the type, the signature,
 * who issued it, for whom it is, that it lives; then the scope, role or permission that the request needs. Needs `jose`
 * and nothing else. `express.mjs` and `koa.mjs` put it in front of routes.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose'

/**
 * `issuer` letter by letter as in our discovery document, `audience` the identifier of this API (`idp apis list`).
 * `keys` are fetched when the first token comes, kept, and fetched anew when a key is not among them.
 */
export function createGuard({ issuer, audience, keys }) {
  const keySet = keys ?? createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`))

  /**
   * `authorization` is the header as it came. Gives `{claims}`, or `{status, challenge}` to answer with: 401 where
   * there is no good token, 403 where it is good and not enough.
   */
  async function check(authorization, { scope, role, permission } = {}) {
    const [, token] = /^Bearer ([\w.-]+)$/i.exec(authorization ?? '') ?? []
    if (!token) return { status: 401, challenge: 'Bearer' }
    const claims = await verified(token)
    // A token that is bound to a key is good with a proof of that key alone (RFC 9449), which is not looked at here.
    if (!claims || claims.cnf) return { status: 401, challenge: 'Bearer error="invalid_token"' }
    const scopes = (claims.scope ?? '').split(' ')
    const missing =
      (scope && !scopes.includes(scope)) ||
      (role && !listIn(claims.roles).includes(role)) ||
      (permission && !allows(claims, permission))
    if (!missing) return { claims }
    const wanted = scope ? `, scope="${scope}"` : ''
    return { status: 403, challenge: `Bearer error="insufficient_scope"${wanted}` }
  }

  async function verified(token) {
    try {
      const { payload } = await jwtVerify(token, keySet, {
        issuer,
        audience,
        typ: 'at+jwt',
        algorithms: ['ES256', 'RS256', 'EdDSA'],
        requiredClaims: ['sub', 'exp', 'client_id'],
        clockTolerance: 5,
      })
      return payload
    } catch (error) {
      // Keys that cannot be fetched are our trouble and not the caller's.
      if (error?.code?.startsWith('ERR_J')) return undefined
      throw error
    }
  }

  return { check }
}

/**
 * Whether the claim `permissions` allows `read:notes`. With `id` or `owner` (a `sub`) what is allowed for one thing, or
 * for one's own, counts as well. What holds under conditions is not in tokens: ask `/access/v1/evaluation`.
 */
export function allows(claims, permission, { id, owner } = {}) {
  const [action, type] = permission.split(':')
  return listIn(claims.permissions).some((held) => {
    const [heldAction, heldType, ...rest] = held.split(':')
    const heldId = rest.length > 0 ? rest.join(':') : undefined
    if (heldAction !== '*' && heldAction !== action) return false
    if (heldType !== '*' && heldType !== type) return false
    if (heldId === undefined) return true
    return heldId === 'own' ? owner !== undefined && owner === claims.sub : heldId === id
  })
}

function listIn(claim) {
  return Array.isArray(claim) ? claim : []
}
