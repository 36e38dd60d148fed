/**
 * Registration for programs: the addresses and the JSON of the contract. Pages do the same through the same
 * functions. Whoever began holds the handle and sends it as a bearer token; without it a registration does not
 * exist, so that an id in a log is worth nothing (security AC-20).
 */
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import { addPasskey, createPasskeyOptions } from '../credentials/add-passkey.ts'
import { findRelyingParty, relyingPartyOf } from '../credentials/passkey-domain.ts'
import { AppError, type FieldError } from '../errors.ts'
import type { BlockedAddresses } from '../http/blocked-addresses.ts'
import { limitKeyAddress, networkOf } from '../http/client-address.ts'
import { hungUp } from '../http/hung-up.ts'
import { countInvite } from '../http/invite-limits.ts'
import type { Limits } from '../http/limits.ts'
import { oneSpelling } from '../http/one-spelling.ts'
import { begin } from '../registration/begin.ts'
import type { RegistrationDeps, RegistrationKey } from '../registration/deps.ts'
import { localeFor } from '../registration/fields.ts'
import { findNewcomer } from '../registration/first-way-in.ts'
import { newestHandle } from '../registration/handles.ts'
import { isWrongInvite } from '../registration/invited.ts'
import { resend } from '../registration/mails.ts'
import { type Verification, verifyCode, verifyToken } from '../registration/proofs.ts'
import { type RegistrationView, read, readProven, toJson } from '../registration/read.ts'
import { retry } from '../registration/resume.ts'
import { checkAvailability } from '../registration/usernames.ts'
import type { Views } from '../views.ts'
import { refuseOtherVerbs } from './other-verbs.ts'
import { parseJson } from './parse.ts'
import { passkeyAnswer, registrationRequest, verificationRequest } from './schemas.ts'

const root = '/api/registrations'

type Options = {
  registration: RegistrationDeps
  limits: Pick<Limits, 'consume' | 'refund'>
  blocked: Pick<BlockedAddresses, 'wrongCode'>
  views: Pick<Views, 't'>
}

/** Errors are thrown as AppErrors; http/faults.ts makes problem documents of them. */
export function registrationRoutes({
  registration: deps,
  limits,
  blocked,
  views,
}: Options): Middleware[] {
  const router = new Router(oneSpelling)
  const { db } = deps

  const show = (view: RegistrationView, handle?: string) =>
    toJson(view, (key) => views.t(localeFor(view.locale), key), handle)

  /**
   * The contract asks for the handle where a registration is read. Its other steps tell nothing about a person and
   * lead nowhere without the mailbox, so there the id, 74 random bits told to whoever began, is enough; a handle that
   * is given must be the right one.
   */
  function givenOrOwnKey(ctx: Context & { params: Record<string, string> }): RegistrationKey {
    const key = keyOf(ctx)
    if (ctx.get('Authorization') !== '') return key
    return { id: key.id, handle: newestHandle(deps.keyring, key.id) }
  }

  function refuse(ctx: Context, code: string, status: number, fields: FieldError[] = []): never {
    const words = fields.map((field) => views.t(ctx.state.locale, `errors.${field.code}`))
    throw new AppError(code, status, { fields, ...(words[0] && { detail: words.join(' ') }) })
  }

  router.get(`${root}/usernames/:username`, async (ctx) => {
    const { locale, address } = ctx.state
    await limits.consume('username-check', limitKeyAddress(address))
    if (deps.config.registration !== 'open') throw new AppError('registration_closed', 403)
    const check = await checkAvailability(db, ctx.params.username ?? '', deps.config)
    const key = check.available ? 'registration.username_available' : `errors.${check.code}`
    ctx.body = { available: check.available, message: views.t(locale, key) }
  })

  router.post(root, async (ctx) => {
    const { locale, address, origin } = ctx.state
    const fields = await parseJson(ctx, registrationRequest)
    await limits.consume('registration-address', limitKeyAddress(address))
    await limits.consume('registration-network', networkOf(address))
    const options = { signal: hungUp(ctx) }
    const begun = await countInvite(
      { limits, blocked },
      { code: fields.invite, address },
      () => begin(deps, { ...fields, locale: fields.locale ?? locale }, origin, options),
      isWrongInvite,
    )
    if (!begun.ok) return refuse(ctx, 'invalid_request', 400, begun.errors)
    ctx.status = 202
    ctx.set('Location', `/api/registrations/${begun.key.id}`)
    ctx.body = show(begun.registration, begun.key.handle)
  })

  router.get(`${root}/:id`, async (ctx) => {
    const view = await read(db, keyOf(ctx))
    if (!view) throw new AppError('registration_not_found', 404)
    ctx.body = show(view)
  })

  router.post(`${root}/:id/verification`, async (ctx) => {
    const { address, origin } = ctx.state
    const proof = await parseJson(ctx, verificationRequest)
    await limits.consume('verification-address', limitKeyAddress(address))
    const verified =
      'code' in proof
        ? await verifyCode(deps, givenOrOwnKey(ctx), proof.code, origin)
        : await verifyToken(deps, proof.token, { key: keyOf(ctx), origin })
    const refusal = refusalOf(verified, 'code' in proof ? 'code' : 'token')
    if (refusal) return refuse(ctx, refusal.code, refusal.status, refusal.fields)
    const view = await readProven(db, keyOf(ctx).id)
    if (!view) throw new AppError('registration_not_found', 404)
    ctx.body = show(view)
  })

  const relyingParty = relyingPartyOf(deps.config)

  /** Whoever has proven the address with the code and this handle, and has no way in yet. */
  async function newcomerOf(ctx: Context & { params: Record<string, string> }) {
    const newcomer = relyingParty && (await findNewcomer(db, { key: keyOf(ctx) }))
    if (!newcomer) throw new AppError('registration_not_found', 404)
    const { account, registrationId } = newcomer
    const party = await findRelyingParty(db, relyingParty)
    return { account, party, boundTo: `api registration ${registrationId}` }
  }

  router.post(`${root}/:id/passkey/options`, async (ctx) => {
    const { account, party, boundTo } = await newcomerOf(ctx)
    await limits.consume('passkey-challenge', limitKeyAddress(ctx.state.address))
    ctx.body = await createPasskeyOptions(db, party, { account, boundTo })
  })

  router.post(`${root}/:id/passkey`, async (ctx) => {
    const { answer } = await parseJson(ctx, passkeyAnswer)
    const { account, party, boundTo } = await newcomerOf(ctx)
    const given = { accountId: account.id, boundTo, answer: JSON.stringify(answer), first: true }
    const added = await addPasskey(db, party, given, ctx.state.origin)
    if (!added.ok && ['passkey_taken', 'way_in_exists'].includes(added.code))
      throw new AppError(added.code, 409)
    if (!added.ok)
      return refuse(ctx, 'invalid_request', 400, [{ field: 'answer', code: added.code }])
    ctx.status = 201
    ctx.body = { id: added.id }
  })

  router.post(`${root}/:id/mail`, async (ctx) => {
    const { address, origin } = ctx.state
    await limits.consume('resend-address', limitKeyAddress(address))
    const answer = await resend(deps, givenOrOwnKey(ctx), origin)
    if (!answer.ok) return refuse(ctx, answer.code, refusalStatuses[answer.code])
    ctx.status = 202
    ctx.body = { retryAfter: answer.retryAfterSeconds }
  })

  router.post(`${root}/:id/retry`, async (ctx) => {
    const { address, origin } = ctx.state
    await limits.consume('resend-address', limitKeyAddress(address))
    const resumed = await retry(deps, givenOrOwnKey(ctx), origin)
    if (!resumed.ok) return refuse(ctx, resumed.code, refusalStatuses[resumed.code])
    ctx.status = 202
    ctx.body = show(resumed.registration)
  })

  return [router.routes() as Middleware, refuseOtherVerbs(router)]
}

/** What each refusal of the room means in HTTP. */
export const refusalStatuses = {
  registration_not_found: 404,
  registration_not_waiting: 409,
  registration_not_retryable: 409,
  too_many_attempts: 429,
  email_taken: 409,
  account_disabled: 403,
  invite_invalid: 403,
  code_invalid: 400,
  code_wrong: 400,
  code_expired: 400,
  too_many_guesses: 400,
  link_used: 400,
  link_expired: 400,
} as const

function refusalOf(verified: Verification, field: 'code' | 'token') {
  if (verified.ok) return undefined
  const status = refusalStatuses[verified.code]
  const fields = status === 400 ? [{ field, code: verified.code }] : []
  return { code: verified.code, status, fields }
}

/** The id of the path and the handle of the Authorization header; an empty handle opens nothing. */
function keyOf(ctx: Context & { params: Record<string, string> }): RegistrationKey {
  const bearer = /^Bearer +([\w-]{1,128})$/i.exec(ctx.get('Authorization'))
  return { id: ctx.params.id ?? '', handle: bearer?.[1] ?? '' }
}
