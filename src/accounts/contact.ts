/**
 * A person's postal address and telephone number, for apps that ask for them. Both may be absent. A number counts as
 * verified only once it was proven, and a new number is not the one that was.
 */
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import type { FieldError } from '../errors.ts'

/** OpenID Connect Core §5.1.1. Two of them may have several lines. */
export const addressMembers = [
  'formatted',
  'street_address',
  'locality',
  'region',
  'postal_code',
  'country',
] as const
export type AddressMember = (typeof addressMembers)[number]
export type Address = { [Member in AddressMember]?: string }

/** Null takes a member, the number or the whole address away; what is undefined stays. */
export type ContactChange = {
  address?: { [Member in AddressMember]?: string | null | undefined } | null | undefined
  phoneNumber?: string | null | undefined
}

const longestMember = 200
const longestFormatted = 500
const severalLines: readonly string[] = ['formatted', 'street_address']
/** What breaks lines, turns text around or hides, save the joiners that some scripts need (names.ts). */
const forbidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}]|(?![\u200c\u200d])\p{Cf}/u

/** E.164, without the spaces and signs that people put into it; undefined when it is none. */
export function canonicalPhone(text: string): string | undefined {
  const digits = text.replace(/[\s().\u00a0-]/g, '')
  return /^\+[1-9][0-9]{3,14}$/.test(digits) ? digits : undefined
}

/**
 * One guarded statement; `changed` is false when everything was so already. Undefined when there is no such account.
 */
export function updateContact(
  db: Db,
  id: string,
  change: ContactChange,
  { actor, origin }: { actor: Actor; origin?: Origin },
): Promise<{ ok: true; changed: boolean } | { ok: false; errors: FieldError[] } | undefined> {
  return transact(db, async (trx) => {
    const { errors, members, phone } = checkContact(change)
    if (errors.length > 0) return { ok: false, errors }
    const address =
      change.address === null
        ? sql`null::jsonb`
        : sql`nullif(jsonb_strip_nulls(coalesce(address, '{}') || ${JSON.stringify(members)}::jsonb), '{}')`
    const number = phone === undefined ? sql`phone_number` : sql`${phone}::text`
    const { rows } = await sql<{ changed: boolean }>`
      with before as (select id, address, phone_number from accounts where id = ${id} for update),
      changed as (
        update accounts a set address = next.address, phone_number = next.number,
          phone_number_verified_at =
            case when a.phone_number is not distinct from next.number then phone_number_verified_at end,
          updated_at = now()
        from (select id, ${address} as address, ${number} as number from before) next
        where a.id = next.id and (a.address, a.phone_number) is distinct from (next.address, next.number)
        returning 1)
      select exists (select from changed) as changed from before`.execute(trx)
    const [row] = rows
    if (!row) return undefined
    if (row.changed) {
      const fields = [
        ...(change.address === null ? ['address'] : Object.keys(members)),
        ...(phone === undefined ? [] : ['phone_number']),
      ]
      await record(trx, {
        type: 'account.contact_changed',
        actor,
        accountId: id,
        origin,
        detail: { fields },
      })
    }
    return { ok: true, changed: row.changed }
  })
}

export function checkContact({ address, phoneNumber }: ContactChange) {
  const errors: FieldError[] = []
  const members: Record<string, string | null> = {}
  for (const [field, value] of Object.entries(address ?? {})) {
    if (value === undefined) continue
    const text = value?.replace(/\r\n?/g, '\n').normalize('NFC').trim() ?? ''
    const longest = field === 'formatted' ? longestFormatted : longestMember
    const line = severalLines.includes(field) ? text.replaceAll('\n', ' ') : text
    if ([...text].length > longest) errors.push({ field, code: 'address_too_long' })
    else if (forbidden.test(line)) errors.push({ field, code: 'address_invalid' })
    else members[field] = text === '' ? null : text
  }
  const phone = phoneNumber ? canonicalPhone(phoneNumber) : phoneNumber
  if (phoneNumber && phone === undefined) {
    errors.push({ field: 'phone_number', code: 'phone_invalid' })
  }
  return { errors, members, phone }
}
