/** `idp permissions list`: what roles may be given, for our own admin API and for the apps around it. */
import type { Command } from 'commander'
import type { Operation } from '../api/operations.ts'
import { listRoles } from '../roles/roles.ts'
import { type Context, withDatabase } from './context.ts'
import { withExamples } from './help.ts'

type Flags = { json?: boolean; quiet?: boolean }

export function addPermissions(program: Command, context: Context): void {
  const permissions = program
    .command('permissions')
    .helpCommand(false)
    .summary('what roles allow')
    .description('What roles allow: those that open our admin API, and those that roles hold.')
  withExamples(
    permissions
      .command('list')
      .summary('all that are known')
      .description(
        'Lists the permissions that open the admin API and those that roles hold. A role may hold any other, of whatever an app calls its things: idp roles create --help',
      )
      .option('-q, --quiet', 'permissions alone')
      .option('--json', 'print JSON')
      .action((flags: Flags) => list(context, flags)),
    [['permissions list', 'what can be given, and who has it']],
  )
}

function list(context: Context, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    // Loaded here: no other command needs the tables of the API.
    const { adminOperations } = await import('../api/admin/operations.ts')
    const known = new Map<string, { operations: string[]; roles: string[] }>()
    const entry = (permission: string) => {
      const found = known.get(permission) ?? { operations: [], roles: [] }
      known.set(permission, found)
      return found
    }
    for (const [name, { permission }] of Object.entries<Operation>(adminOperations)) {
      if (permission) entry(permission).operations.push(name)
    }
    for (const { id, permissions } of await listRoles(db)) {
      for (const permission of permissions) entry(permission).roles.push(id)
    }
    const all = [...known]
      .map(([permission, more]) => ({ permission, ...more }))
      .toSorted((a, b) => (a.permission < b.permission ? -1 : 1))
    if (flags.json) return out.json({ permissions: all })
    if (flags.quiet) return out.lines(all.map(({ permission }) => permission))
    out.table(
      ['PERMISSION', 'ROLES', 'OPENS IN THE ADMIN API'],
      all.map(({ permission, roles, operations }) => [
        permission,
        roles.join(' '),
        operations.join(' '),
      ]),
    )
  })
}
