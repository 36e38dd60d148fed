/**
 * What a change by an admin made of what: the members that differ, before and after, fit for the trail. Secrets, hashes and
 * private keys are left out by their names, whatever room hands them in, and long values are cut.
 */

export type Changes = { before: Record<string, unknown>; after: Record<string, unknown> }

const secretName = /secret|password|private|hash|handle|seal|(^|_)(token|code)$/i
/** What they are about, and not what they are. */
const harmless = /^(secondFactors?|second_factors?|secret_expires_at|breachedPasswords)$/
/** RFC 7518 §6: the private members of a key. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const longestValue = 1000

/** `names`: these members alone; else all that differ. Equal members are left out. */
export function changesOf(before: object, after: object, names?: readonly string[]): Changes {
  const [one, other] = [before as Record<string, unknown>, after as Record<string, unknown>]
  const all = names ?? [...new Set([...Object.keys(one), ...Object.keys(other)])]
  const changed = all.filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]))
  const pick = (from: Record<string, unknown>) =>
    Object.fromEntries(changed.map((name) => [name, shown(name, from[name] ?? null)]))
  return { before: pick(one), after: pick(other) }
}

function shown(name: string, value: unknown): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (secretName.test(name) && !harmless.test(name)) return '[secret]'
  const clean = without(value)
  const length = JSON.stringify(clean)?.length ?? 0
  return length > longestValue ? `[${length} characters]` : clean
}

/** Within a value too. */
function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without)
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  if (Buffer.isBuffer(value)) return '[bytes]'
  const isKey = 'kty' in value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (isKey && privateMembers.includes(name)) return [name, '[secret]']
      return [name, isKey ? inner : shown(name, inner ?? null)]
    }),
  )
}
