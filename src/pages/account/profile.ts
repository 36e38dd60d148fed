/** What somebody says of themselves, in one form. */
import type { Context } from 'koa'
import { findAccount } from '../../accounts/accounts.ts'
import { updateContact } from '../../accounts/contact.ts'
import { profileLocales, timeZones, updateProfile } from '../../accounts/profile.ts'
import { transact } from '../../database/transact.ts'
import { AppError, type FieldError } from '../../errors.ts'
import { hostCookieName, setCookie } from '../../http/cookies.ts'
import { type PagesDeps, seeOther } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

const addressFields = ['street_address', 'postal_code', 'locality', 'region', 'country'] as const
const yearSeconds = 365 * 24 * 3600
type Typed = Record<string, string>

export function accountProfilePages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  const secure = deps.config.issuer.startsWith('https:')
  const localeCookie = hostCookieName('locale', secure)
  return { show, submit }

  async function show(ctx: Context, { accountId }: Signed): Promise<void> {
    const account = await findAccount(db, accountId)
    if (!account) return seeOther(ctx, '/sign-in')
    const { address, phoneNumber, name, username } = account
    drawForm(ctx, account, {
      name: name === username ? '' : name,
      given_name: account.givenName,
      family_name: account.familyName,
      locale: account.locale ?? '',
      zoneinfo: account.zoneinfo ?? '',
      phone_number: phoneNumber ?? '',
      ...address,
    })
  }

  async function submit(ctx: Context, { accountId, account }: Signed): Promise<void> {
    const form = formOf(ctx)
    const username = String(account.username)
    const by = { actor: { kind: 'person', id: accountId }, origin: ctx.state.origin } as const
    const errors = await transact(db, async (trx): Promise<FieldError[]> => {
      const profile = await updateProfile(
        trx,
        accountId,
        {
          // Apps refuse an empty name, so whoever gives none is called by the username.
          name: form.name?.trim() || (form.name === undefined ? undefined : username),
          givenName: form.given_name,
          familyName: form.family_name,
          locale: form.locale === undefined ? undefined : form.locale || null,
          zoneinfo: form.zoneinfo === undefined ? undefined : form.zoneinfo || null,
        },
        by,
      )
      const members = addressFields.map((field) => [
        field,
        form[field] === undefined ? undefined : form[field] || null,
      ])
      const phone = form.phone_number?.trim()
      const contact = await updateContact(
        trx,
        accountId,
        {
          address: Object.fromEntries(members),
          phoneNumber: phone === undefined ? undefined : phone || null,
        },
        by,
      )
      const found = [profile, contact].flatMap((done) => (done && !done.ok ? done.errors : []))
      // Both or none.
      if (found.length > 0) throw new AppError('invalid_request', 422, { fields: found })
      return []
    }).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'invalid_request') return error.fields
      throw error
    })
    if (errors.length > 0) {
      return drawForm(
        ctx,
        { username, pictureUrl: account.picture_url as string | null },
        form,
        { code: 'invalid_request', fields: errors },
        422,
      )
    }
    // The language counts in this browser from now on.
    if (form.locale)
      setCookie(ctx, localeCookie, form.locale, { secure, maxAgeSeconds: yearSeconds })
    frame.done(ctx, 'profile-saved', 'profile')
  }

  function drawForm(
    ctx: Context,
    { username, pictureUrl }: { username: string; pictureUrl: string | null },
    typed: Typed,
    error?: { code: string; fields: FieldError[] },
    status = 200,
  ): void {
    frame.drawPage(
      ctx,
      'account-profile',
      {
        action: '/account/profile',
        username,
        typed,
        error,
        timeZones,
        locales: profileLocales,
        // Another host's picture is not loaded here.
        pictureHref: pictureUrl?.startsWith(`${deps.config.issuer}/`)
          ? pictureUrl.slice(deps.config.issuer.length)
          : undefined,
      },
      status,
    )
  }
}
