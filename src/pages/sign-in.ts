/** Username or email and password, on one page (`/sign-in/<flow>`), and which account to go on with. */
import type { Context } from 'koa'
import type { Account } from '../accounts/accounts.ts'
import { relyingPartyOf } from '../credentials/passkey-domain.ts'
import { AppError } from '../errors.ts'
import { accountClientId } from '../oidc/account-client.ts'
import { type Flow, finishSelection, guessesPerProof, saveProgress } from '../oidc/interactions.ts'
import { pendingFor } from '../registration/handles.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { takeChosenProvider } from './doors.ts'
import { appOfFlow, assertFinished, formOf } from './flow.ts'
import { proveFirst } from './next-step.ts'
import { createPasswordCheck } from './password-check.ts'
import { pathOf } from './steps.ts'
import { providerButtons, type UpstreamPages, upstreamProblemOf } from './upstream.ts'

export function signInPages(deps: PagesDeps, { startIn }: Pick<UpstreamPages, 'startIn'>) {
  const checkPassword = createPasswordCheck(deps)
  const party = relyingPartyOf(deps.config)
  return { show, submit, showSelection, submitSelection, drawSignIn }

  async function show(ctx: Context, flow: Flow): Promise<void> {
    // Chosen at the door of registration, by a form of ours, a moment ago.
    const chosen = ctx.method === 'GET' ? takeChosenProvider(ctx, deps) : undefined
    if (chosen) return startIn(ctx, flow, chosen)
    const problem = await upstreamProblemOf(ctx, deps)
    if (problem) return drawSignIn(ctx, flow, { error: problem }, 422)
    const hint = flow.parameters.login_hint?.slice(0, 254)
    // What was proven is gone after too many wrong codes, and this is where one comes then.
    const spent = (flow.progress.guesses ?? 0) >= guessesPerProof
    const { word } = flow.progress
    const told: { error?: PageError; notice?: 'verified' | 'unfinished' } = spent
      ? { error: { code: 'too_many_codes' } }
      : word === 'password-changed'
        ? { error: { code: 'password_changed' } }
        : word
          ? { notice: word }
          : {}
    await drawSignIn(ctx, flow, { identifier: hint, ...told })
  }

  async function submit(ctx: Context, flow: Flow): Promise<void> {
    const { identifier = '', password = '' } = formOf(ctx)
    const refuse = (error: PageError, status: number) =>
      drawSignIn(ctx, flow, { identifier, error }, status)
    let account: Account | undefined
    try {
      account = await checkPassword(ctx, { identifier, password })
    } catch (error) {
      if (!(error instanceof AppError) || ![429, 503].includes(error.status)) throw error
      if (error.code === 'address_blocked') throw error
      ctx.set('Retry-After', String(error.retryAfterSeconds ?? 1))
      return refuse(error, error.status)
    }
    if (!account) return refuse({ code: 'wrong_credentials' }, 422)
    // Only who has just given the password learns this.
    if (account.status === 'disabled') {
      deps.onSignIn('not_active')
      return refuse({ code: 'account_disabled' }, 403)
    }
    if (account.status === 'unverified') return continueRegistration(ctx, flow, account)
    await proveFirst(ctx, deps, flow, account, ['pwd'])
  }

  async function continueRegistration(ctx: Context, flow: Flow, account: Account): Promise<void> {
    const pending = await pendingFor(deps.registration, account.id)
    if (!pending) {
      return drawSignIn(ctx, flow, { error: { code: 'registration_expired' } }, 422)
    }
    await saveProgress(deps.database.pool, flow, { registrationId: pending.id })
    seeOther(ctx, pathOf(flow.id, 'verify-email'))
  }

  async function showSelection(ctx: Context, flow: Flow): Promise<void> {
    if (!flow.account) return seeOther(ctx, pathOf(flow.id, 'sign-in'))
    draw(ctx, deps, 'select-account', {
      action: pathOf(flow.id, 'select-account'),
      app: await appOfFlow(deps, flow),
      username: String(flow.account.username),
      name: String(flow.account.name),
    })
  }

  async function submitSelection(ctx: Context, flow: Flow): Promise<void> {
    if (formOf(ctx).choice === 'switch' || !flow.account) {
      return seeOther(ctx, pathOf(flow.id, 'sign-in'))
    }
    // Coming back from the consent page by "Not you?", nothing is to be finished but the doubt.
    if (flow.prompt.name === 'consent') return seeOther(ctx, pathOf(flow.id, 'consent'))
    assertFinished(await finishSelection(deps.database.pool, flow))
    seeOther(ctx, flow.returnTo)
  }

  /** Proven elsewhere, and now to be proven here: whoever signs in is asked to link the two. */
  async function linkingIn({ progress }: Flow) {
    const provider = progress.upstream && (await deps.providers.find(progress.upstream))
    return provider ? { linking: provider.name } : {}
  }

  async function drawSignIn(
    ctx: Context,
    flow: Flow,
    given: {
      identifier?: string | undefined
      error?: PageError
      notice?: 'verified' | 'unfinished'
      /** A passkey that nobody here has. */
      unknown?: { rpId: string; credentialId: string } | undefined
    },
    status = 200,
  ): Promise<void> {
    draw(
      ctx,
      deps,
      'sign-in',
      {
        ...given,
        ...(isConfirmation(flow) ? { notice: 'again' as const } : {}),
        action: pathOf(flow.id, 'sign-in'),
        ...(party ? { passkeyAction: `${pathOf(flow.id, 'sign-in')}/with-passkey` } : {}),
        ...(await providerButtons(deps, `${pathOf(flow.id, 'sign-in')}/with`)),
        ...(await linkingIn(flow)),
        app: await appOfFlow(deps, flow),
        forgotHref: pathOf(flow.id, 'reset-password'),
        registerHref:
          deps.config.registration !== 'closed' ? pathOf(flow.id, 'register') : undefined,
      },
      status,
    )
  }
}

/** For a sensitive act in the own account, whoever is signed in signs in once more. */
function isConfirmation(flow: Flow): boolean {
  return (
    flow.clientId === accountClientId &&
    flow.account !== undefined &&
    flow.parameters.max_age !== undefined
  )
}
