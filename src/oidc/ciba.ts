/**
 * Backchannel authentication (OpenID Connect CIBA Core 1.0): an app names a person, who says yes on a page of ours
 * wherever they are signed in (pages/questions.ts). Tokens are asked for (poll) or asked for after a word of ours (ping).
 */
import type { Context } from 'koa'
import { type Account, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { sha256 } from '../crypto.ts'
import { pollInterval } from './device-flow.ts'
import type { PersonFinder, Questions } from './questions.ts'
import { assertReachable } from './step-up.ts'

/** CIBA Core §7.1: short, and of characters that a person can compare. */
const bindingMessage = /^[\p{L}\p{M}\p{N}\p{P}\p{Sc}\p{Sm} ]{1,60}$/u

export function ciba(findPerson: PersonFinder, questions: Questions) {
  return {
    enabled: true,
    deliveryModes: ['poll', 'ping'],
    validateRequestContext: async (ctx: KoaContextWithOIDC) => {
      assertReachable(ctx)
      await questions.limitClient(String(ctx.oidc.client?.clientId))
    },
    validateBindingMessage: async (_ctx: KoaContextWithOIDC, message?: string) => {
      if (message !== undefined && !bindingMessage.test(message)) {
        throw new errors.InvalidBindingMessage(
          'binding_message must be 1 to 60 letters, digits, spaces or plain punctuation',
        )
      }
    },
    processLoginHint: (ctx: KoaContextWithOIDC, hint = '') =>
      findPerson(String(ctx.oidc.client?.clientId), hint.slice(0, 254)),
    processLoginHintToken: async () => {
      throw new errors.InvalidRequest('login_hint_token is not supported')
    },
    /** Nobody has a code of their own here; it is where the person is known for the first time. */
    verifyUserCode: (ctx: KoaContextWithOIDC, { accountId }: Account) =>
      questions.limitPerson(String(ctx.oidc.client?.clientId), accountId),
    triggerAuthenticationDevice: async (
      ctx: KoaContextWithOIDC,
      request: { jti: string },
      { accountId }: Account,
    ) => {
      Object.assign(ctx.body as object, { interval: pollInterval })
      const { state } = ctx as unknown as Context
      state.afterFlush ??= []
      state.afterFlush.push(() =>
        questions.asked({
          idHash: sha256(request.jti),
          accountId,
          clientId: String(ctx.oidc.client?.clientId),
          origin: state.origin,
        }),
      )
    },
  } satisfies NonNullable<Configuration['features']>['ciba']
}
