/** Every page of a person's own account and its address. */
import type Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import { mostPictureBytes } from '../../accounts/picture.ts'
import { parseUpload } from '../../http/upload.ts'
import type { PagesDeps } from '../context.ts'
import type { UpstreamPages } from '../upstream.ts'
import { accountActivityPages } from './activity.ts'
import { accountAddressPages } from './address.ts'
import { accountAppsPages } from './apps.ts'
import { accountAuthenticatorsPages } from './authenticators.ts'
import { accountDataPages } from './data.ts'
import { accountDevicesPages } from './devices.ts'
import type { AccountFrame } from './frame.ts'
import { accountHomePages } from './home.ts'
import { accountPasskeysPages } from './passkeys.ts'
import { accountPasswordPages } from './password.ts'
import { accountPicturePages } from './picture.ts'
import { accountProfilePages } from './profile.ts'
import { accountProvidersPages } from './providers.ts'
import { accountSecurityPages } from './security.ts'

/** `form` parses a POST and demands its proof against forgery. */
export function accountRoutes(
  router: Router,
  deps: PagesDeps,
  { frame, form, upstream }: { frame: AccountFrame; form: Middleware[]; upstream: UpstreamPages },
): void {
  const home = accountHomePages(deps, frame)
  const security = accountSecurityPages(deps, frame)
  const password = accountPasswordPages(deps, frame)
  const devices = accountDevicesPages(deps, frame)
  const activity = accountActivityPages(deps, frame)
  const data = accountDataPages(deps, frame)
  const picture = accountPicturePages(deps, frame)
  const profile = accountProfilePages(deps, frame)
  const address = accountAddressPages(deps, frame)
  const apps = accountAppsPages(deps, frame)
  const passkeys = accountPasskeysPages(deps, frame)
  const authenticators = accountAuthenticatorsPages(deps, frame)
  const providers = accountProvidersPages(deps, frame, upstream)
  const recent = { fresh: true }

  router.get('/account', frame.page('home', home.show))
  router.post('/account/sign-out', ...form, home.signOut)
  router.get('/account/security', frame.page('security', security.show))
  router.get('/account/passkeys', frame.page('passkeys', passkeys.show, recent))
  router.post('/account/passkeys', ...form, frame.page('passkeys', passkeys.submit, recent))
  router.post(
    '/account/passkeys/options',
    ...form,
    frame.page('passkeys', passkeys.options, recent),
  )
  for (const [path, get, post] of [
    ['/account/authenticators', authenticators.show, authenticators.submit],
    ['/account/authenticators/new', authenticators.showNew, authenticators.submitNew],
  ] as const) {
    router.get(path, frame.page('authenticators', get, recent))
    router.post(path, ...form, frame.page('authenticators', post, recent))
  }
  router.get('/account/password', frame.page('password', password.show, recent))
  router.post('/account/password', ...form, frame.page('password', password.submit, recent))
  router.get('/account/providers', frame.page('providers', providers.show, recent))
  router.post('/account/providers', ...form, frame.page('providers', providers.submit, recent))
  router.get('/account/profile', frame.page('profile', profile.show))
  router.post('/account/profile', ...form, frame.page('profile', profile.submit))
  router.post(
    '/account/picture',
    parseUpload(mostPictureBytes),
    deps.csrf.require,
    frame.page('profile', picture.submit),
  )
  router.get('/pictures/:name', picture.serve)
  router.get('/account/address', frame.page('address', address.show, recent))
  router.post('/account/address', ...form, frame.page('address', address.submit, recent))
  for (const page of ['confirm', 'undo'] as const) {
    const path = `/${page}-address`
    router.get(path, (ctx) => address.showLink(ctx, page, tokenOf(ctx)))
    router.post(path, ...form, (ctx) => address.submitLink(ctx, page, tokenOf(ctx)))
  }
  router.get('/account/devices', frame.page('devices', devices.show))
  router.post('/account/devices', ...form, frame.page('devices', devices.submit))
  router.get('/account/activity', frame.page('activity', activity.show))
  router.get('/account/data', frame.page('data', data.show))
  router.get('/account/data/download', frame.page('data', data.download, recent))
  router.get('/account/delete', frame.page('delete', data.showDelete, recent))
  router.post('/account/delete', ...form, frame.page('delete', data.submitDelete, recent))
  router.get('/account/apps', frame.page('apps', apps.show))
  router.post('/account/apps', ...form, frame.page('apps', apps.disconnect))
}

/** A repeated one is none. */
function tokenOf({ query }: Context): string {
  return typeof query.token === 'string' ? query.token : ''
}
