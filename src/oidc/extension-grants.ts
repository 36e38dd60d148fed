/** Grant types of ours at the engine's token endpoint, with their audit: what was given to whom, and what was refused. */
import type { JSONWebKeySet } from 'jose'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import type { Queryable } from '../sessions/reads.ts'
import type { ClientCache } from './client-cache.ts'
import { afterFlush } from './events.ts'
import type { FindCertificate } from './mutual-tls.ts'
import { createTokenReader } from './own-tokens.ts'
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
  findCertificate: FindCertificate
}

/** What the audit says of a token that was given. */
type Given = { accountId: string; detail: Record<string, unknown> }

export function addExtensionGrants(provider: Provider, options: Options): void {
  const { db } = options
  const exchange = createTokenExchange({ ...options, tokens: createTokenReader(options) })
  provider.registerGrantType(
    tokenExchange,
    audited('token.exchanged', async (ctx) => {
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

  function audited(type: string, give: (ctx: KoaContextWithOIDC) => Promise<Given>) {
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
        if (code)
          tell(`${type}_refused`, { detail: { error: code, ...(reason ? { reason } : {}) } })
        throw error
      }
    }
  }
}
