/**
 * The client secret that Apple wants: a token that we sign anew for each request, good for minutes. None is kept, so none
 * runs out after half a year, as those do that are made by hand.
 */
import { importPKCS8, SignJWT } from 'jose'

const lifetime = '5m'

export async function createAppleSecret(given: {
  teamId: string
  keyId: string
  clientId: string
  issuer: string
  privateKey: string
}): Promise<string> {
  const { teamId, keyId, clientId, issuer, privateKey } = given
  return new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: keyId })
    .setIssuer(teamId)
    .setSubject(clientId)
    .setAudience(issuer)
    .setIssuedAt()
    .setExpirationTime(lifetime)
    .sign(await importPKCS8(privateKey, 'ES256'))
}
