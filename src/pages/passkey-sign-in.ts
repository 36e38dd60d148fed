/**
 * Signing in with a passkey, from the sign-in page: by what the browser fills in or by the button. Nobody types who they
 * are. What is proven ends the step in the same function as a password does.
 */
import type { Context } from 'koa'
import {
  findRelyingParty,
  listRelatedOrigins,
  relyingPartyOf,
} from '../credentials/passkey-domain.ts'
import { createSignInOptions, signInWithPasskey } from '../credentials/passkey-sign-in.ts'
import { isFirstFactor } from '../credentials/step-up.ts'
import { AppError } from '../errors.ts'
import { limitKeyAddress } from '../http/client-address.ts'
import type { Flow } from '../oidc/interactions.ts'
import type { PageError } from '../views/page-data.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { appOfFlow, formOf } from './flow.ts'
import { proveFirst, proveSecond, readHalfWay } from './next-step.ts'
import type { signInPages } from './sign-in.ts'
import { pathOf, stepOf } from './steps.ts'

export function passkeySignInPages(
  deps: PagesDeps,
  { drawSignIn }: Pick<ReturnType<typeof signInPages>, 'drawSignIn'>,
) {
  const { db } = deps.database
  const own = relyingPartyOf(deps.config)
  return { options, submit, show, secondOptions, submitSecond, relatedOrigins }

  /** What the script hands to the browser; it names nobody (EN-08). */
  async function options(ctx: Context, flow: Flow): Promise<void> {
    if (!own) throw new AppError('not_found', 404)
    const party = await findRelyingParty(db, own)
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    ctx.body = await createSignInOptions(db, party, { boundTo: boundTo(flow) })
  }

  /** Who else may use the passkeys of this domain (WebAuthn §5.11.1); read by browsers, from anywhere. */
  async function relatedOrigins(ctx: Context): Promise<void> {
    const origins = await listRelatedOrigins(db)
    if (origins.length === 0) throw new AppError('not_found', 404)
    ctx.body = { origins }
  }

  async function submit(ctx: Context, flow: Flow): Promise<void> {
    if (!own) throw new AppError('not_found', 404)
    const party = await findRelyingParty(db, own)
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    const { answer = '' } = formOf(ctx)
    const given = { boundTo: boundTo(flow), answer }
    const proven = await signInWithPasskey(db, party, given, ctx.state.origin)
    if (!proven.ok) {
      deps.onSignIn('wrong_credentials')
      const unknown =
        proven.code === 'passkey_unknown'
          ? { rpId: party.id, credentialId: proven.credentialId }
          : undefined
      return drawSignIn(ctx, flow, { error: { code: proven.code }, unknown }, 422)
    }
    if (proven.account.status !== 'active') {
      deps.onSignIn('not_active')
      return drawSignIn(ctx, flow, { error: { code: 'account_disabled' } }, 403)
    }
    await proveFirst(ctx, deps, flow, proven.account, proven.amr)
  }

  /** A passkey beside what was proven: for whoever is half way in, and of nobody else (WA-12). */
  async function show(ctx: Context, flow: Flow): Promise<void> {
    const state = await enter(ctx, flow)
    if (state) await drawSecond(ctx, flow, state, {})
  }

  async function secondOptions(ctx: Context, flow: Flow): Promise<void> {
    const state = await enter(ctx, flow)
    if (!state || !own) return
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    const given = { boundTo: boundTo(flow), accountId: state.account.id }
    ctx.body = await createSignInOptions(db, await findRelyingParty(db, own), given)
  }

  async function submitSecond(ctx: Context, flow: Flow): Promise<void> {
    const state = await enter(ctx, flow)
    if (!state || !own) return
    await deps.limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    const { answer = '' } = formOf(ctx)
    const given = { boundTo: boundTo(flow), accountId: state.account.id, answer }
    const party = await findRelyingParty(db, own)
    const proven = await signInWithPasskey(db, party, given, ctx.state.origin)
    if (!proven.ok) {
      deps.onSignIn('wrong_code')
      return drawSecond(ctx, flow, state, { error: { code: proven.code } }, 422)
    }
    const { half, account } = state
    await proveSecond(ctx, deps, flow, account, { proven: proven.amr, half })
  }

  async function enter(ctx: Context, flow: Flow) {
    const state = await readHalfWay(deps, flow)
    if (own && state?.available.includes('passkey')) return state
    const next = state?.half.next
    seeOther(ctx, pathOf(flow.id, next && next !== 'passkey' ? stepOf(next) : 'sign-in'))
    return undefined
  }

  async function drawSecond(
    ctx: Context,
    flow: Flow,
    { account, available }: NonNullable<Awaited<ReturnType<typeof readHalfWay>>>,
    given: { error?: PageError },
    status = 200,
  ): Promise<void> {
    const others = available.filter((other) => other !== 'passkey' && !isFirstFactor(other))
    const action = pathOf(flow.id, 'passkey')
    draw(
      ctx,
      deps,
      'passkey',
      {
        ...given,
        action,
        app: await appOfFlow(deps, flow),
        optionsAction: `${action}/options`,
        username: account.username,
        others: others.map((factor) => ({ factor, href: pathOf(flow.id, stepOf(factor)) })),
        switchHref: pathOf(flow.id, 'sign-in'),
      },
      status,
    )
  }
}

function boundTo(flow: Flow): string {
  return `flow ${flow.id}`
}
