/** What people say of themselves: their names, language and time zone. Address and telephone are contact.ts. */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { changesOf } from '../audit/changes.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import type { FieldError } from '../errors.ts'
import { checkDisplayName } from './names.ts'

/** Null takes language or time zone away; what is undefined stays. */
export type ProfileChange = {
  name?: string | undefined
  givenName?: string | undefined
  familyName?: string | undefined
  locale?: string | null | undefined
  zoneinfo?: string | null | undefined
}

/** Names of the IANA database, as OpenID Connect's `zoneinfo` has them. */
export const timeZones: readonly string[] = ['UTC', ...Intl.supportedValuesOf('timeZone')]
export const profileLocales = ['en', 'zh-CN'] as const

/** `changed` is false when everything was so already. Undefined when there is no such active account. */
export function updateProfile(
  db: Db,
  id: string,
  change: ProfileChange,
  { actor, origin }: { actor: Actor; origin?: Origin },
): Promise<{ ok: true; changed: boolean } | { ok: false; errors: FieldError[] } | undefined> {
  const { errors, set } = checkProfile(change)
  if (errors.length > 0) return Promise.resolve({ ok: false, errors })
  return transact(db, async (trx) => {
    const before = await trx
      .selectFrom('accounts')
      .select(['name', 'givenName', 'familyName', 'locale', 'zoneinfo'])
      .where('id', '=', id)
      .where('status', '=', 'active')
      .forUpdate()
      .executeTakeFirst()
    if (!before) return undefined
    const fields = Object.entries(set)
      .filter(([field, value]) => before[field as keyof typeof before] !== value)
      .map(([field]) => field)
    if (fields.length === 0) return { ok: true, changed: false }
    await trx
      .updateTable('accounts')
      .set({ ...set, updatedAt: sql<Date>`now()` })
      .where('id', '=', id)
      .execute()
    await record(trx, {
      type: 'account.profile_changed',
      actor,
      accountId: id,
      origin,
      // What people change about themselves is theirs; what is changed about them is told.
      detail: {
        fields,
        ...(actor.kind === 'person' && actor.id === id ? {} : changesOf(before, set, fields)),
      },
    })
    return { ok: true, changed: true }
  })
}

function checkProfile(change: ProfileChange) {
  const errors: FieldError[] = []
  const set: Partial<Record<'name' | 'givenName' | 'familyName', string>> & {
    locale?: string | null
    zoneinfo?: string | null
  } = {}
  for (const [member, field] of [
    ['name', 'name'],
    ['givenName', 'given_name'],
    ['familyName', 'family_name'],
  ] as const) {
    const text = change[member]
    if (text === undefined) continue
    const checked = checkDisplayName(text)
    if (checked.ok) set[member] = checked.name
    else errors.push({ field, code: text.trim() ? checked.code : 'name_required' })
  }
  const { locale, zoneinfo } = change
  if (locale !== undefined) {
    if (locale === null || profileLocales.some((known) => known === locale)) set.locale = locale
    else errors.push({ field: 'locale', code: 'locale_unknown' })
  }
  if (zoneinfo !== undefined) {
    if (zoneinfo === null || timeZones.includes(zoneinfo)) set.zoneinfo = zoneinfo
    else errors.push({ field: 'zoneinfo', code: 'zoneinfo_unknown' })
  }
  return { errors, set }
}
