/** Every page and its address, in one place. Each POST has been parsed and carries its proof against forgery. */
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import { AppError } from '../errors.ts'
import { parseForm } from '../http/form-body.ts'
import { oneSpelling } from '../http/one-spelling.ts'
import { listMailbox } from '../mail/mailbox.ts'
import { createAccountFrame } from './account/frame.ts'
import { accountRoutes } from './account/routes.ts'
import { authenticatorPages } from './authenticator.ts'
import { consentPages } from './consent.ts'
import { draw, type PagesDeps, seeOther } from './context.ts'
import { devicePages } from './device.ts'
import { doors } from './doors.ts'
import { firstPasskeyPages } from './first-passkey.ts'
import { appOfFlow, flowPage } from './flow.ts'
import { proveFirst } from './next-step.ts'
import { noAccessPage } from './no-access.ts'
import { passkeyOfferPages } from './passkey-offer.ts'
import { passkeySignInPages } from './passkey-sign-in.ts'
import { questionPages } from './questions.ts'
import { registrationPages } from './registration.ts'
import { type Place, placeInFlow } from './registration-place.ts'
import { resetPages } from './reset-password.ts'
import { codeSteps, secondFactorPages } from './second-factor.ts'
import { signInPages } from './sign-in.ts'
import { signedOutPage } from './signed-out.ts'
import { upstreamPages } from './upstream.ts'
import { upstreamLogoutPages } from './upstream-logout.ts'
import { upstreamNewcomerPages } from './upstream-newcomer.ts'

export function pageRoutes(deps: PagesDeps): Router {
  const router = new Router(oneSpelling)
  const form: Middleware[] = [parseForm, deps.csrf.require]

  const frame = createAccountFrame(deps)
  const upstream = upstreamPages(deps, frame)
  const signInPage = signInPages(deps, upstream)
  const consent = consentPages(deps)
  const registration = registrationPages(deps)
  const second = secondFactorPages(deps)
  const setUp = authenticatorPages(deps)
  const door = doors(deps, frame.sessionOf)
  const questions = questionPages(deps, consent, frame.sessionOf)

  // Before all that begin with a flow, whatever a provider is called.
  router.get('/sign-in/callback/:provider', upstream.callback)
  router.post('/sign-in/callback/:provider', parseForm, upstream.receive)
  const logout = upstreamLogoutPages(deps, signedOutPage(deps))
  router.post('/sign-in/backchannel-logout/:provider', parseForm, logout.receive)
  router.post('/signed-out/upstream', ...form, logout.leave)

  router.get('/sign-in/:flow', flowPage(deps, 'sign-in', signInPage.show))
  router.post('/sign-in/:flow', parseForm, flowPage(deps, 'sign-in', signInPage.submit))
  router.post('/sign-in/:flow/with', parseForm, flowPage(deps, 'sign-in', upstream.start))
  const newcomer = upstreamNewcomerPages(deps)
  router.get('/sign-in/:flow/new-here', flowPage(deps, 'new-here', newcomer.show))
  router.post('/sign-in/:flow/new-here', parseForm, flowPage(deps, 'new-here', newcomer.submit))
  router.get('/sign-in/:flow/link-provider', flowPage(deps, 'link-provider', newcomer.showLink))
  router.post(
    '/sign-in/:flow/link-provider',
    parseForm,
    flowPage(deps, 'link-provider', newcomer.submitLink),
  )
  const passkey = passkeySignInPages(deps, signInPage)
  router.post('/sign-in/:flow/with-passkey', parseForm, flowPage(deps, 'sign-in', passkey.submit))
  router.post(
    '/sign-in/:flow/with-passkey/options',
    parseForm,
    flowPage(deps, 'sign-in', passkey.options),
  )
  const noAccess = noAccessPage(deps)
  router.get('/sign-in/:flow/no-access', flowPage(deps, 'no-access', noAccess.show))
  router.post('/sign-in/:flow/no-access', parseForm, flowPage(deps, 'no-access', noAccess.submit))
  router.get(
    '/sign-in/:flow/select-account',
    flowPage(deps, 'select-account', signInPage.showSelection),
  )
  router.post(
    '/sign-in/:flow/select-account',
    parseForm,
    flowPage(deps, 'select-account', signInPage.submitSelection),
  )
  router.get('/sign-in/:flow/consent', flowPage(deps, 'consent', consent.show))
  router.post('/sign-in/:flow/consent', parseForm, flowPage(deps, 'consent', consent.submit))

  for (const [factor, step] of codeSteps) {
    const path = `/sign-in/:flow/${step}`
    router.get(
      path,
      flowPage(deps, step, (ctx, flow) => second.show(ctx, flow, factor)),
    )
    router.post(
      path,
      parseForm,
      flowPage(deps, step, (ctx, flow) => second.submit(ctx, flow, factor)),
    )
  }
  router.get('/sign-in/:flow/authenticator', flowPage(deps, 'authenticator', setUp.showInFlow))
  router.post(
    '/sign-in/:flow/authenticator',
    parseForm,
    flowPage(deps, 'authenticator', setUp.submitInFlow),
  )

  const inFlow = (
    page: 'register' | 'verify-email' | 'first-passkey',
    handle: PlacePage,
  ): Middleware =>
    flowPage(deps, page, async (ctx, flow) => {
      const place = placeInFlow(deps, flow, {
        app: await appOfFlow(deps, flow),
        linked: door.linkedHere(ctx),
        upstream: await newcomer.registering(ctx, flow),
        enter: (account, proven) => proveFirst(ctx, deps, flow, account, proven),
        leave: (href) => seeOther(ctx, href),
      })
      await handle(ctx, place)
    })
  router.get('/sign-in/:flow/register', inFlow('register', registration.showForm))
  router.post('/sign-in/:flow/register', parseForm, inFlow('register', registration.submitForm))
  router.get('/sign-in/:flow/verify-email', inFlow('verify-email', registration.showProof))
  router.post(
    '/sign-in/:flow/verify-email',
    parseForm,
    inFlow('verify-email', registration.submitProof),
  )

  const first = firstPasskeyPages(deps)
  router.get('/sign-in/:flow/first-passkey', inFlow('first-passkey', first.show))
  router.post('/sign-in/:flow/first-passkey', parseForm, inFlow('first-passkey', first.submit))
  router.post(
    '/sign-in/:flow/first-passkey/options',
    parseForm,
    inFlow('first-passkey', first.options),
  )
  router.get('/first-passkey', (ctx) => first.show(ctx, door.place(ctx)))
  router.post('/first-passkey', ...form, (ctx) => first.submit(ctx, door.place(ctx)))
  router.post('/first-passkey/options', ...form, (ctx) => first.options(ctx, door.place(ctx)))

  const reset = resetPages(deps)
  const resetInFlow = (handle: typeof reset.show): Middleware =>
    flowPage(deps, 'reset-password', async (ctx, flow) =>
      handle(ctx, reset.inFlow(flow, await appOfFlow(deps, flow))),
    )
  router.get('/sign-in/:flow/reset-password', resetInFlow(reset.show))
  router.post('/sign-in/:flow/reset-password', parseForm, resetInFlow(reset.submit))
  router.get('/reset-password', async (ctx) => {
    const token = tokenOf(ctx)
    if (token) await reset.showLink(ctx, token)
    else await reset.show(ctx, reset.door(ctx))
  })
  router.post('/reset-password', ...form, async (ctx) => {
    const token = tokenOf(ctx)
    if (token) await reset.submitLink(ctx, token)
    else await reset.submit(ctx, reset.door(ctx))
  })

  router.get('/sign-in/:flow/passkey', flowPage(deps, 'passkey', passkey.show))
  router.post('/sign-in/:flow/passkey', parseForm, flowPage(deps, 'passkey', passkey.submitSecond))
  router.post(
    '/sign-in/:flow/passkey/options',
    parseForm,
    flowPage(deps, 'passkey', passkey.secondOptions),
  )
  const offer = passkeyOfferPages(deps)
  router.get('/sign-in/:flow/add-passkey', flowPage(deps, 'add-passkey', offer.show))
  router.post('/sign-in/:flow/add-passkey', parseForm, flowPage(deps, 'add-passkey', offer.submit))
  router.post(
    '/sign-in/:flow/add-passkey/options',
    parseForm,
    flowPage(deps, 'add-passkey', offer.options),
  )
  router.get('/.well-known/webauthn', passkey.relatedOrigins)
  router.get('/', door.home)
  router.get('/sign-in', door.signIn)
  router.get('/device/qr.svg', devicePages(deps).showQr)
  router.get('/account/requests', questions.show)
  router.post('/account/requests', ...form, questions.submit)
  accountRoutes(router, deps, { frame, form, upstream })
  router.get('/register', (ctx) => registration.showForm(ctx, door.place(ctx)))
  router.post('/register/with', ...form, door.registerWith)
  router.post('/register', ...form, (ctx) => registration.submitForm(ctx, door.place(ctx)))
  router.get('/verify-email', async (ctx) => {
    const token = tokenOf(ctx)
    if (token) await door.showLink(ctx, token)
    else await registration.showProof(ctx, door.place(ctx))
  })
  router.post('/verify-email', ...form, async (ctx) => {
    const token = tokenOf(ctx)
    if (token) await door.submitLink(ctx, token)
    else await registration.submitProof(ctx, door.place(ctx))
  })

  // Where `error_uri` leads: what it stands for is told to whoever runs this, not to whoever has the link.
  router.get('/errors/:reference', (ctx) => {
    const reference = (ctx.params.reference ?? '').slice(0, 20)
    draw(ctx, deps, 'error', { reason: 'other', reference })
  })
  if (!deps.config.smtpUrl) router.get('/dev/mailbox', (ctx) => mailbox(ctx, deps))
  return router
}

type PlacePage = (ctx: Context, place: Place) => Promise<void> | void

function tokenOf(ctx: Context): string | undefined {
  const { token } = ctx.query
  return typeof token === 'string' && token !== '' ? token : undefined
}

/** For whoever tries this out without a mail server; from this machine alone. */
async function mailbox(ctx: Context, deps: PagesDeps): Promise<void> {
  if (!ctx.state.fromLoopback || deps.config.production) throw new AppError('not_found', 404)
  const mails = await listMailbox(deps.config.dataDir)
  if (ctx.accepts('html', 'json') === 'json') {
    ctx.body = mails
    return
  }
  draw(ctx, deps, 'mailbox', { mails })
}
