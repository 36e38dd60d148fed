/** `idp users create update delete list get disable enable`: people, from the operator's side. */
import type { Command } from 'commander'
import { type Account, disableAccount, enableAccount, listAccounts } from '../accounts/accounts.ts'
import { listFactors } from '../credentials/list-factors.ts'
import { listPasskeys } from '../credentials/passkeys.ts'
import type { Db } from '../database/connection.ts'
import type { AccountStatus } from '../database/tables.ts'
import { type HeldRole, listGroupsOf, listHeldRoles } from '../roles/holders.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readCount } from './input.ts'
import type { Cell, Output } from './output.ts'
import { resolveUser } from './user-find.ts'
import { userJson } from './user-view.ts'
import { addUsersCreate } from './users-create.ts'
import { addUsersDelete } from './users-delete.ts'
import { addUsersFactors } from './users-factors.ts'
import { addUsersMove } from './users-move.ts'
import { addUsersRecover } from './users-recover.ts'
import { addUsersUpdate } from './users-update.ts'

type Flags = { json?: boolean }
type ListFlags = Flags & { status?: AccountStatus; limit: string; after?: string; quiet?: boolean }

export function addUsers(program: Command, context: Context): void {
  const users = program
    .command('users')
    .helpCommand(false)
    .summary('the people who have an account')
    .description('The people who have an account here.')
  addUsersCreate(users, context)
  addUsersUpdate(users, context)
  addUsersDelete(users, context)
  addUsersFactors(users, context)
  addUsersRecover(users, context)
  addUsersMove(users, context)
  withExamples(
    users
      .command('list')
      .summary('everybody, by username')
      .description('Lists accounts in the order of their usernames, a page at a time.')
      .option('--status <status>', 'only unverified, active, disabled or deleted')
      .option('--limit <number>', 'how many, 1000 at most', '100')
      .option('--after <username>', 'begin after this one')
      .option('-q, --quiet', 'usernames alone')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => list(context, flags)),
    [
      ['users list --status disabled', 'who is switched off'],
      ['users list --limit 1000 --json', 'for a program'],
    ],
  )
  withExamples(
    users
      .command('get <user>')
      .summary('one person, by username, address or id')
      .description('Shows one account with its roles.')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags) => get(context, user, flags)),
    [['users get ada@example.org', 'by address']],
  )
  withExamples(
    users
      .command('disable <user>')
      .summary('switch an account off; its sessions and tokens end')
      .description('Switches an account off and ends its sessions and tokens at once.')
      .option('--reason <text>', 'kept in the audit trail', 'by an operator')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags & { reason: string }) => switchOff(context, user, flags)),
    [
      [
        'users disable mallory --reason "phishing, ticket 4711"',
        'with the reason for those who come after',
      ],
    ],
  )
  withExamples(
    users
      .command('enable <user>')
      .summary('switch an account on again')
      .description('Switches an account on again. The person signs in anew.')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags) => switchOn(context, user, flags)),
    [['users enable mallory', 'it was somebody else']],
  )
}

function list(context: Context, flags: ListFlags): Promise<void> {
  const limit = readCount('--limit', flags.limit, 1000)
  const { status, after } = flags
  if (status !== undefined && !['unverified', 'active', 'disabled', 'deleted'].includes(status)) {
    throw new CliError(exitCodes.usage, `--status cannot be “${status}”.`, [
      'Give unverified, active, disabled or deleted.',
    ])
  }
  return withDatabase(context, async ({ db, out }) => {
    const page = await listAccounts(db, {
      limit,
      ...(status === undefined ? {} : { status }),
      ...(after === undefined ? {} : { after }),
    })
    if (flags.json) {
      const users = []
      for (const account of page) users.push(await userJson(db, account))
      out.json({ users })
    } else if (flags.quiet) for (const { username } of page) out.raw(username)
    else if (page.length > 0)
      out.table(['USERNAME', 'EMAIL', 'STATUS', 'NAME', 'SINCE'], page.map(asRow))
    const last = page.at(-1)
    if (!last) out.say('Nobody.')
    else if (page.length === limit) out.say(`There may be more: --after ${last.username}`)
  })
}

function get(context: Context, user: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out }) =>
    show(db, out, await resolveUser(db, user), flags),
  )
}

function switchOff(
  context: Context,
  user: string,
  flags: Flags & { reason: string },
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { id, username } = await resolveUser(db, user)
    const changed = await disableAccount(db, id, flags.reason, operator(io))
    if (flags.json) await show(db, out, await resolveUser(db, id), flags)
    out.say(
      changed
        ? `Switched off ${username}: sessions and tokens have ended.`
        : `${username} was off already.`,
    )
  })
}

function switchOn(context: Context, user: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { id, username } = await resolveUser(db, user)
    const changed = await enableAccount(db, id, operator(io))
    if (flags.json) await show(db, out, await resolveUser(db, id), flags)
    out.say(changed ? `Switched on ${username}.` : `${username} was not off.`)
  })
}

async function show(db: Db, out: Output, account: Account, flags: Flags): Promise<void> {
  if (flags.json) return out.json({ user: await userJson(db, account, { factors: true }) })
  const passkeys = await listPasskeys(db, account.id)
  out.fields([
    ['Username', account.username],
    ['Name', account.name],
    ['Email', account.email ?? 'none proven yet'],
    ['Status', account.status],
    ['Reason', account.disabledReason ?? undefined],
    ['Roles', (await listHeldRoles(db, account.id)).map(heldText)],
    ['Groups', await listGroupsOf(db, account.id)],
    [
      'Passkeys',
      passkeys.map(({ name, createdAt }) => `${name || 'unnamed'}, since ${stamp(createdAt)}`),
    ],
    ['Address', account.address ? Object.values(account.address).join(', ') : undefined],
    ['Phone', account.phoneNumber ?? undefined],
    ['Proves', await listFactors(db, account.id)],
    ['Id', account.id],
    ['Since', stamp(account.createdAt)],
  ])
}

function heldText({ role, own, groups }: HeldRole): string {
  return own ? role : `${role} (by ${groups.join(', ')})`
}

function asRow(account: Account): Cell[] {
  const { username, email, status, name, createdAt } = account
  const colour = { active: 'green', disabled: 'red', unverified: 'yellow', deleted: 'dim' } as const
  return [username, email ?? '', { text: status, style: colour[status] }, name, stamp(createdAt)]
}
