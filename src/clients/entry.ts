/** Whom an app lets in: everybody, or who holds one of some roles or is in one of some groups. */

/** Ids of roles, and names of groups; one of them is enough. */
export type ClientAccess = { roles: string[]; groups: string[] }

/** `access` null: everybody. `held` are the roles of an account, everybody's left out, and its groups. */
export function mayEnter(
  access: ClientAccess | null | undefined,
  held: { roles: readonly string[]; groups: readonly string[] },
): boolean {
  if (!access) return true
  return (
    access.roles.some((role) => role === 'user' || held.roles.includes(role)) ||
    access.groups.some((group) => held.groups.includes(group))
  )
}
