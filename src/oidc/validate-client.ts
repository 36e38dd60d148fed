/**
 * The protocol's own rules for a client, asked before it is stored: the provider that serves sign-ins,
 * configured the same, judges it. So no stored row turns out to be `invalid_client` when people come.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { ClientMetadata, Provider } from 'oidc-provider'
import { createKeyring, randomToken } from '../crypto.ts'
import { createOutgoing } from '../outgoing/outgoing.ts'
import { createEngineFetch } from './outgoing-fetch.ts'
import type { ProtocolPages } from './protocol-pages.ts'
import { createProvider } from './provider.ts'
import type { SigningKey } from './signing-keys.ts'

/** The returned function throws the engine's `InvalidClientMetadata`, whose `error_description` is the reason. */
export function createClientCheck(
  issuer: string,
  allowPrivateTargets: string[] = [],
): (metadata: object) => Promise<void> {
  let provider: Provider | undefined
  return async (metadata) => {
    provider ??= createJudge(issuer, allowPrivateTargets)
    await provider.Client.validate(metadata as ClientMetadata)
  }
}

/** Judging reads the configuration alone: nothing is stored, signed or shown, so none of that is there. */
function createJudge(issuer: string, allowPrivateTargets: string[]): Provider {
  const absent = () => Promise.reject(new Error('a provider that only judges clients'))
  return createProvider({
    config: { issuer, jwksMaxAgeSeconds: 3600 },
    pool: { query: absent },
    reads: { query: absent },
    keyring: createKeyring([randomToken()]),
    // Each algorithm needs a key, or the engine finds no client good enough.
    keys: [
      throwAway('RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })),
      throwAway('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
      throwAway('EdDSA', generateKeyPairSync('ed25519')),
    ],
    clients: { client: absent, api: absent, offers: absent, whyNot: absent, forget: () => {} },
    limitClientAuthentication: { check: absent, count: absent },
    findPerson: absent,
    questions: { limitClient: absent, limitPerson: absent, asked: absent },
    findCertificate: () => undefined,
    pairwiseSecret: randomBytes(32),
    readsSectors: true,
    fetch: createEngineFetch(createOutgoing({ issuer, allowPrivateTargets })),
    pages: {
      interactionPath: () => '/',
      renderError: absent,
      logoutSource: absent,
      postLogoutSuccessSource: absent,
      renderAlreadyDone: absent,
      sessionEnded: absent,
      device: absent,
      deviceRefused: absent,
      deviceConnected: absent,
    } satisfies ProtocolPages,
  })
}

function throwAway(
  alg: string,
  { privateKey }: ReturnType<typeof generateKeyPairSync>,
): SigningKey {
  return { ...privateKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' }
}
