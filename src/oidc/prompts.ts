/** When a person is asked something, in order: who are you, which account, may this app know you. */
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { entryPrompt } from './entry.ts'
import { type StepUp, stepUpCheck } from './step-up.ts'

const { Check, Prompt, base } = interactionPolicy

/** The engine's policy with account selection, and without asking twice for our own native apps. */
export function createPrompts(stepUp?: StepUp) {
  const prompts = base()
  prompts.add(new Prompt({ name: 'select_account', requestable: true }), 0)

  // Behind login, before consent.
  prompts.add(entryPrompt(), 2)

  const login = prompts.get('login')
  login?.checks.remove('essential_acr')
  login?.checks.remove('essential_acrs')
  login?.checks.add(stepUpCheck(stepUp))

  // A native app cannot prove who it is, so people confirm it each time (RFC 8252 §8.6); ours are known.
  const consent = prompts.get('consent')
  const native = consent?.checks.get('native_client_prompt')
  if (consent && native) {
    consent.checks.remove('native_client_prompt')
    consent.checks.add(
      new Check(native.reason, native.description, native.error ?? 'interaction_required', (ctx) =>
        // Whoever enters a code has just confirmed whose device it is.
        isFirstParty(ctx) || ctx.oidc.entities.DeviceCode
          ? Check.NO_NEED_TO_PROMPT
          : native.check(ctx),
      ),
    )
  }
  return prompts
}

function isFirstParty(ctx: KoaContextWithOIDC): boolean {
  return ctx.oidc.client?.first_party === true
}
