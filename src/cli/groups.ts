/** `idp groups create list get update delete add remove`: people, and the roles that come with being among them. */
import type { Command } from 'commander'
import type { Account } from '../accounts/accounts.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import {
  addMember,
  createGroup,
  deleteGroup,
  findGroup,
  type Group,
  listGroups,
  listMembers,
  removeMember,
  updateGroup,
} from '../roles/groups.ts'
import { groupJson } from '../roles/json.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, confirm } from './input.ts'
import { noteOwned } from './note-owned.ts'
import type { Output } from './output.ts'
import { resolveRole } from './role-view.ts'
import { didYouMean } from './text.ts'
import { resolveUser } from './user-find.ts'

type CreateFlags = { role?: string[]; description?: string; ifNotExists?: boolean; json?: boolean }
type UpdateFlags = {
  addRole?: string[]
  removeRole?: string[]
  description?: string
  json?: boolean
}

export function addGroups(program: Command, context: Context): void {
  const groups = program
    .command('groups')
    .helpCommand(false)
    .summary('people who hold the same roles')
    .description('Groups hold people and roles: whoever is among them holds the roles.')
  withExamples(
    groups
      .command('create <name>')
      .summary('make a group')
      .description('Makes a group. Apps that ask for the scope groups are told its name.')
      .option('--role <role>', 'what its members hold; may be repeated', collect)
      .option('--description <text>', 'for those who come after you')
      .option('--if-not-exists', 'leave one of that name as it is')
      .option('--json', 'print JSON')
      .action((name: string, flags: CreateFlags) => create(context, name, flags)),
    [['groups create Finance --role editor', 'whoever is in it is an editor']],
  )
  withExamples(
    groups
      .command('list')
      .summary('every group')
      .description('Lists groups with their roles.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean; quiet?: boolean }) => list(context, flags)),
    [['groups list', 'who holds what together']],
  )
  withExamples(
    groups
      .command('get <group>')
      .summary('one group, and who is in it')
      .description('Shows a group with its first 1000 members.')
      .option('--json', 'print JSON')
      .action((name: string, flags: { json?: boolean }) => get(context, name, flags)),
    [['groups get Finance', 'who is in it']],
  )
  withExamples(
    groups
      .command('update <group>')
      .summary('change what is named')
      .description('Changes a group; its members have it with their next token at the latest.')
      .option('--add-role <role>', 'may be repeated', collect)
      .option('--remove-role <role>', 'may be repeated', collect)
      .option('--description <text>', 'for those who come after you')
      .option('--json', 'print JSON')
      .action((name: string, flags: UpdateFlags) => update(context, name, flags)),
    [['groups update Finance --add-role auditor', 'one role more']],
  )
  withExamples(
    groups
      .command('delete <group>')
      .summary('end a group')
      .description('Ends a group; its members lose its roles. One that an app asks for stays.')
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((name: string, flags: { yes?: boolean; json?: boolean }) =>
        remove(context, name, flags),
      ),
    [['groups delete Finance', 'asks at a terminal']],
  )
  withExamples(
    groups
      .command('add <group> <users...>')
      .summary('put people into it')
      .description('Puts people into a group.')
      .option('--json', 'print JSON')
      .action((name: string, users: string[], flags: { json?: boolean }) =>
        move(context, name, users, flags, addMember),
      ),
    [['groups add Finance ada bob', 'two people']],
  )
  withExamples(
    groups
      .command('remove <group> <users...>')
      .summary('take people out of it')
      .description(
        'Takes people out of a group. Apps that let nobody in without it lose them at once; the last admin stays.',
      )
      .option('--json', 'print JSON')
      .action((name: string, users: string[], flags: { json?: boolean }) =>
        move(context, name, users, flags, removeMember),
      ),
    [['groups remove Finance bob', 'at once, in every process']],
  )
}

async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  await withDatabase(context, async ({ db, out, io }) => {
    const roles = await roleIds(db, flags.role)
    const { created, group } = await createGroup(
      db,
      { name, description: flags.description, roles },
      { actor: operator(io), ifNotExists: flags.ifNotExists ?? false },
    )
    if (flags.json) out.json({ created, group: groupJson(group) })
    else show(out, group)
    out.say(
      created
        ? `Created ${group.name}. Put somebody in: idp groups add "${group.name}" USER`
        : `${group.name} exists already and was left as it is.`,
    )
  })
}

function list(context: Context, flags: { json?: boolean; quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listGroups(db)
    if (flags.json) return out.json({ groups: all.map(groupJson) })
    if (flags.quiet) return out.lines(all.map(({ name }) => name))
    if (all.length === 0) return out.say('No group. The first: idp groups create --help')
    out.table(
      ['GROUP', 'PEOPLE', 'ROLES', 'DESCRIPTION'],
      all.map((group) => [
        group.name,
        String(group.members),
        group.roles.join(' '),
        group.description,
      ]),
    )
  })
}

function get(context: Context, name: string, flags: { json?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const group = await resolveGroup(db, name)
    const members = (await listMembers(db, group.name, { limit: 1000 })).map(
      ({ username }) => username,
    )
    if (flags.json) return out.json({ group: { ...groupJson(group), accounts: members } })
    show(out, group)
    out.fields([['Members', members]])
  })
}

async function update(context: Context, name: string, flags: UpdateFlags): Promise<void> {
  const { addRole, removeRole, description } = flags
  if (!addRole && !removeRole && description === undefined) {
    throw new CliError(exitCodes.usage, 'What is to change?', ['See: idp groups update --help'])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const change = {
      description,
      addRoles: await roleIds(db, addRole),
      removeRoles: await roleIds(db, removeRole),
    }
    const { name: exact } = await resolveGroup(db, name)
    const { group, changed } = await updateGroup(db, exact, change, { actor: operator(io) })
    if (flags.json) out.json({ changed, group: groupJson(group) })
    else show(out, group)
    out.say(changed.length === 0 ? 'Nothing changed.' : `Changed: ${changed.join(', ')}.`)
    if (changed.length > 0) await noteOwned(out, db, 'group', group.name)
  })
}

function remove(
  context: Context,
  given: string,
  flags: { yes?: boolean; json?: boolean },
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { name, members } = await resolveGroup(db, given)
    if (!flags.yes && !(await confirm(io, `Delete ${name}? ${members} people leave it.`))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    await deleteGroup(db, name, { actor: operator(io) })
    if (flags.json) out.json({ deleted: name })
    out.say(`Deleted ${name}.`)
  })
}

function move(
  context: Context,
  given: string,
  users: string[],
  flags: { json?: boolean },
  change: typeof addMember,
): Promise<void> {
  const adding = change === addMember
  return withDatabase(context, async ({ db, out, io }) => {
    const { name } = await resolveGroup(db, given)
    const accounts: Account[] = []
    for (const user of users) accounts.push(await resolveUser(db, user))
    const changed = await transact(db, async (trx) => {
      const moved: string[] = []
      for (const { id, username } of accounts) {
        if (await change(trx, name, id, { actor: operator(io) })) moved.push(username)
      }
      return moved
    })
    if (flags.json) out.json({ group: name, [adding ? 'added' : 'removed']: changed })
    const none = adding ? `They are in ${name} already.` : `None of them is in ${name}.`
    const some = `${adding ? 'In' : 'Out of'} ${name}: ${changed.join(', ')}.`
    out.say(changed.length === 0 ? none : some)
  })
}

/** Throws "not found", with the nearest one there is. */
export async function resolveGroup(db: Db, name: string): Promise<Group> {
  const group = await findGroup(db, name)
  if (group) return group
  const known = (await listGroups(db)).map((each) => each.name)
  const near = didYouMean(name, known)
  throw new CliError(exitCodes.notFound, `There is no group “${name}”.`, [
    near ? `Did you mean ${near}?` : 'See: idp groups list',
  ])
}

async function roleIds(db: Db, names: string[] = []): Promise<string[]> {
  const ids: string[] = []
  for (const name of names) ids.push((await resolveRole(db, name)).id)
  return ids
}

function show(out: Output, group: Group): void {
  out.fields([
    ['Group', group.name],
    ['Description', group.description],
    ['Roles', group.roles],
    ['People', String(group.members)],
    ['Since', stamp(group.createdAt)],
  ])
}
