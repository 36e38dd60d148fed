/**
 * A permission: an action on a type of resource, on one of its ids or on what is one's own, under conditions. Admins
 * write `read:notes`, `write:notes:own` or `delete:notes:42 if acr=2fa and address=10.0.0.0/8`; `*` is every action or
 * every type. It is stored as written here.
 */
import { AppError } from '../errors.ts'
import { asksNoMore, type Conditions, formatConditions, parseCondition } from './conditions.ts'

export type Permission = {
  action: string
  type: string
  /** One resource; every one without it. */
  id?: string
  /** Only what belongs to the holder. */
  own?: true
  conditions: Conditions
}

const word = /^(?:\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})$/
const longest = 1000

/** Undefined for what is no permission. */
export function parsePermission(text: string): Permission | undefined {
  if (text.length > longest) return undefined
  const [, what = '', when] = /^(\S+)(?: if (.+))?$/.exec(text.trim().replace(/\s+/g, ' ')) ?? []
  const [action = '', type = '', ...rest] = what.split(':')
  const id = rest.length > 0 ? rest.join(':') : undefined
  if (!word.test(action) || !word.test(type)) return undefined
  if (id !== undefined && (id === '*' || !/^[\x21-\x7e]{1,255}$/.test(id))) return undefined
  const conditions = when === undefined ? {} : parseConditions(when)
  if (!conditions) return undefined
  if (id === undefined) return { action, type, conditions }
  return id === 'own' ? { action, type, own: true, conditions } : { action, type, id, conditions }
}

function parseConditions(text: string): Conditions | undefined {
  const all: Conditions = {}
  for (const part of text.split(' and ')) {
    const condition = parseCondition(part)
    const [name] = Object.keys(condition ?? {})
    // Twice the same would read like an "or".
    if (!condition || !name || name in all) return undefined
    Object.assign(all, condition)
  }
  return all
}

/** The one way in which this permission is written. */
export function formatPermission({ action, type, id, own, conditions }: Permission): string {
  const what = [action, type, ...(own ? ['own'] : id === undefined ? [] : [id])].join(':')
  const when = formatConditions(conditions)
  return when.length === 0 ? what : `${what} if ${when.join(' and ')}`
}

/** Each in its one form, once. Throws `permission_invalid` (400). */
export function readPermissions(texts: readonly string[]): string[] {
  return [
    ...new Set(
      texts.map((text) => {
        const permission = parsePermission(text)
        if (permission) return formatPermission(permission)
        throw new AppError('permission_invalid', 400, {
          detail: `A permission reads like read:notes, write:notes:own or delete:notes:42 if acr=2fa: ${text.slice(0, 100)}`,
          fields: [{ field: 'permission', code: 'permission_invalid' }],
        })
      }),
    ),
  ]
}

/** What stands in the database was read before. */
export function storedPermissions(texts: readonly string[]): Permission[] {
  return texts.map(parsePermission).filter((permission) => permission !== undefined)
}

/** Whether whoever has `have` can do all that `want` allows. */
export function covers(have: Permission, want: Permission): boolean {
  return (
    (have.action === '*' || have.action === want.action) &&
    (have.type === '*' || have.type === want.type) &&
    (have.id === undefined || have.id === want.id) &&
    (!have.own || want.own === true) &&
    asksNoMore(have.conditions, want.conditions)
  )
}
