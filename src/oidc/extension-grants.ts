/** Grant types of ours at the engine's token endpoint, with their audit: what was given to whom, and what was refused. */
import type { JSONWebKeySet } from 'jose'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { Queryable } from '../sessions/reads.ts'
import {
  type CheckPassword,
  challengeGrant,
  challengeParameters,
  createChallenge,
} from './authorization-challenge.ts'
import type { ClientCache } from './client-cache.ts'
import { afterFlush } from './events.ts'
import { bearerParameters, createJwtBearer, jwtBearer } from './jwt-bearer.ts'
import type { FindCertificate } from './mutual-tls.ts'
import type { EngineFetch } from './outgoing-fetch.ts'
import { createTokenReader } from './own-tokens.ts'
import type { SignInPolicies } from './sign-in-policies.ts'
import {
  createTokenExchange,
  exchangeParameters,
  repeatableParameters,
  tokenExchange,
} from './token-exchange.ts'

type Options = {
  issuer: string
  db: Db
  pool: Queryable
  clients: ClientCache
  /** The published ones: a key that was retired vouches for nothing. */
  keys: JSONWebKeySet
  fetch: EngineFetch
  checkPassword: CheckPassword
  policies: Pick<SignInPolicies, 'at' | 'factorsOf'>
  onSignIn(result: 'success'): void
  findCertificate: FindCertificate
}

/** What the audit says of a token that was given. */
type Given = { accountId: string; detail: Record<string, unknown> }

export function addExtensionGrants(provider: Provider, options: Options): void {
  const { db } = options
  const exchange = createTokenExchange({ ...options, tokens: createTokenReader(options) })
  provider.registerGrantType(
    tokenExchange,
    audited(['token.exchanged', 'token.exchange_refused'], async (ctx) => {
      const { exchange: policy, subject, scopes } = await exchange(ctx)
      const { audience, mode } = policy
      return {
        accountId: subject.accountId as string,
        detail: { audience, mode, scopes, from: subject.clientId },
      }
    }),
    exchangeParameters,
    repeatableParameters,
  )
  const accept = createJwtBearer(options)
  provider.registerGrantType(
    jwtBearer,
    audited(['assertion.accepted', 'assertion.refused'], async (ctx) => {
      const { accountId, ...detail } = await accept(ctx)
      return { accountId, detail }
    }),
    bearerParameters,
  )
  const challenge = createChallenge(options)
  provider.registerGrantType(
    challengeGrant,
    async (ctx) => {
      const { accountId, amr } = await challenge(ctx)
      const clientId = ctx.oidc.client?.clientId
      afterFlush(ctx, async () => {
        options.onSignIn('success')
        await record(db, {
          type: 'sign_in.succeeded',
          actor: { kind: 'person', id: accountId },
          accountId,
          clientId,
          origin: ctx.state.origin,
          detail: { amr, by: 'authorization_challenge' },
        })
      })
    },
    challengeParameters,
    'resource',
  )

  function audited(
    [type, refusal]: [string, string],
    give: (ctx: KoaContextWithOIDC) => Promise<Given>,
  ) {
    return async (ctx: KoaContextWithOIDC): Promise<void> => {
      const clientId = ctx.oidc.client?.clientId
      const tell = (what: string, rest: Partial<Given>) =>
        afterFlush(ctx, () =>
          record(db, {
            type: what,
            actor: { kind: 'client', id: clientId },
            clientId,
            origin: ctx.state.origin,
            ...rest,
          }),
        )
      try {
        tell(type, await give(ctx))
      } catch (error) {
        const { error: code, error_detail: reason } = error as Record<string, string | undefined>
        if (code) tell(refusal, { detail: { error: code, ...(reason ? { reason } : {}) } })
        throw error
      }
    }
  }
}
