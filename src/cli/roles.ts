/** `idp roles create list get update delete grant revoke`: what people and apps may do. */
import type { Command } from 'commander'
import { listHolders } from '../roles/holders.ts'
import { roleJson } from '../roles/json.ts'
import { createRole, deleteRole, listRoles, updateRole } from '../roles/roles.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, confirm } from './input.ts'
import { noteOwned } from './note-owned.ts'
import { ofClient, resolveRole, showRole } from './role-view.ts'
import { addRolesGrant } from './roles-grant.ts'

type Named = { client?: string; json?: boolean }
type CreateFlags = Named & { permission?: string[]; description?: string; ifNotExists?: boolean }
type UpdateFlags = Named & {
  permission?: string[] | false
  addPermission?: string[]
  removePermission?: string[]
  description?: string
}

export function addRoles(program: Command, context: Context): void {
  const roles = program
    .command('roles')
    .helpCommand(false)
    .summary('what people and apps may do')
    .description(
      'Roles hold permissions; people hold roles, of their own or by a group, and so do apps. admin may everything, user is everybody’s.',
    )
  withExamples(
    roles
      .command('create <name>')
      .summary('make a role')
      .description(
        'Makes a role. A permission is ACTION:TYPE, then :ID or :own, then conditions: hours=mon-fri/09:00-17:00/Europe/Berlin, after=, before=, acr=2fa, client=, address=10.0.0.0/8.',
      )
      .option('--permission <permission>', 'may be repeated', collect)
      .option('--description <text>', 'for those who come after you')
      .option(...ofClient)
      .option('--if-not-exists', 'leave one of that name as it is')
      .option('--json', 'print JSON')
      .action((name: string, flags: CreateFlags) => create(context, name, flags)),
    [
      [
        'roles create editor --permission "read:notes" --permission "write:notes:own"',
        'two things',
      ],
      [
        'roles create auditor --permission "read:* if acr=2fa and address=10.0.0.0/8"',
        'after two factors, and from inside',
      ],
      ['roles create moderator --client Forum', 'known to one app alone, by its name'],
    ],
  )
  withExamples(
    roles
      .command('list')
      .summary('every role')
      .description('Lists roles with what they allow.')
      .option(...ofClient)
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Named & { quiet?: boolean }) => list(context, flags)),
    [['roles list --client Forum', 'those of one app']],
  )
  withExamples(
    roles
      .command('get <role>')
      .summary('one role, and who holds it')
      .description('Shows a role with its holders.')
      .option(...ofClient)
      .option('--json', 'print JSON')
      .action((role: string, flags: Named) => get(context, role, flags)),
    [['roles get admin', 'who looks after this']],
  )
  withExamples(
    roles
      .command('update <role>')
      .summary('change what is named')
      .description('Changes a role; its holders have it with their next token at the latest.')
      .option('--permission <permission>', 'in place of all; may be repeated', collect)
      .option('--no-permission', 'none at all')
      .option('--add-permission <permission>', 'one more; may be repeated', collect)
      .option('--remove-permission <permission>', 'one less; may be repeated', collect)
      .option('--description <text>', 'for those who come after you')
      .option(...ofClient)
      .option('--json', 'print JSON')
      .action((role: string, flags: UpdateFlags) => update(context, role, flags)),
    [['roles update editor --add-permission delete:notes:own', 'one thing more']],
  )
  withExamples(
    roles
      .command('delete <role>')
      .summary('end a role')
      .description(
        'Ends a role; whoever holds it loses it. Built-in ones stay, and those that an app asks for.',
      )
      .option('--yes', 'do not ask')
      .option(...ofClient)
      .option('--json', 'print JSON')
      .action((role: string, flags: Named & { yes?: boolean }) => remove(context, role, flags)),
    [['roles delete editor', 'asks at a terminal']],
  )
  addRolesGrant(roles, context)
}

async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  await withDatabase(context, async ({ db, out, io }) => {
    const client = flags.client === undefined ? undefined : await resolveClient(db, flags.client)
    const { created, role } = await createRole(
      db,
      {
        name,
        clientId: client?.id,
        description: flags.description,
        permissions: flags.permission,
      },
      { actor: operator(io), ifNotExists: flags.ifNotExists ?? false },
    )
    if (flags.json) out.json({ created, role: roleJson(role) })
    else showRole(out, role)
    out.say(
      created
        ? `Created ${role.id}. Give it to somebody: idp roles grant ${role.id} USER`
        : `${role.id} exists already and was left as it is.`,
    )
  })
}

function list(context: Context, flags: Named & { quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const client = flags.client === undefined ? undefined : await resolveClient(db, flags.client)
    const all = await listRoles(db, client ? { clientId: client.id } : {})
    if (flags.json) return out.json({ roles: all.map(roleJson) })
    if (flags.quiet) return out.lines(all.map(({ id }) => id))
    if (all.length === 0) return out.say('No role. The first: idp roles create --help')
    out.table(
      ['ROLE', 'ALLOWS', 'DESCRIPTION'],
      all.map(({ id, permissions, description }) => [id, permissions.join(' · '), description]),
    )
  })
}

function get(context: Context, name: string, flags: Named): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const role = await resolveRole(db, name, flags.client)
    const { accounts, groups, clients } = await listHolders(db, role.id)
    const usernames = accounts.map(({ username }) => username)
    if (flags.json)
      return out.json({ role: { ...roleJson(role), accounts: usernames, groups, clients } })
    showRole(out, role)
    out.fields([
      ['People', role.id === 'user' ? 'everybody' : usernames],
      ['Groups', groups],
      ['Apps', clients],
    ])
  })
}

async function update(context: Context, name: string, flags: UpdateFlags): Promise<void> {
  const { description, addPermission, removePermission } = flags
  const permissions = flags.permission === false ? [] : flags.permission
  const change = {
    description,
    permissions,
    addPermissions: addPermission,
    removePermissions: removePermission,
  }
  if (Object.values(change).every((value) => value === undefined)) {
    throw new CliError(exitCodes.usage, 'What is to change?', ['See: idp roles update --help'])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const { id } = await resolveRole(db, name, flags.client)
    const { role, changed } = await updateRole(db, id, change, { actor: operator(io) })
    if (flags.json) out.json({ changed, role: roleJson(role) })
    else showRole(out, role)
    out.say(changed.length === 0 ? 'Nothing changed.' : `Changed: ${changed.join(', ')}.`)
    if (changed.length > 0) await noteOwned(out, db, 'role', id)
  })
}

function remove(context: Context, name: string, flags: Named & { yes?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { id } = await resolveRole(db, name, flags.client)
    const { accounts, groups, clients } = await listHolders(db, id)
    const lose = `${accounts.length} people, ${groups.length} groups and ${clients.length} apps lose it`
    if (!flags.yes && !(await confirm(io, `Delete the role ${id}? ${lose}.`))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    await deleteRole(db, id, { actor: operator(io) })
    if (flags.json) out.json({ deleted: id })
    out.say(`Deleted ${id}.`)
  })
}
