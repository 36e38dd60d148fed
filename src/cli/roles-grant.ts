/** `idp roles grant revoke`: who holds a role. */
import type { Command } from 'commander'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { grantRole, revokeRole } from '../roles/holders.ts'
import type { Holder } from '../roles/holdings.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { collect } from './input.ts'
import { ofClient, resolveRole } from './role-view.ts'
import { resolveUser } from './user-find.ts'

type Flags = { client?: string; toClient?: string[]; fromClient?: string[]; json?: boolean }

export function addRolesGrant(roles: Command, context: Context): void {
  withExamples(
    roles
      .command('grant <role> [users...]')
      .summary('give it to people or apps')
      .description(
        'Gives a role. It is in tokens from the next one on; groups get theirs by idp groups update.',
      )
      .option('--to-client <client>', 'an app that acts for itself; may be repeated', collect)
      .option(...ofClient)
      .option('--json', 'print JSON')
      .action((role: string, users: string[], flags: Flags) => grant(context, role, users, flags)),
    [
      ['roles grant editor ada bob', 'two people'],
      ['roles grant moderator ada --client Forum', 'at one app alone'],
      ['roles grant auditor --to-client Backup', 'an app of its own'],
    ],
  )
  withExamples(
    roles
      .command('revoke <role> [users...]')
      .summary('take it from people or apps')
      .description(
        'Takes a role back. Apps that let nobody in without it lose these people at once; the last admin stays.',
      )
      .option('--from-client <client>', 'an app that acts for itself; may be repeated', collect)
      .option(...ofClient)
      .option('--json', 'print JSON')
      .action((role: string, users: string[], flags: Flags) => revoke(context, role, users, flags)),
    [['roles revoke editor bob', 'at once, in every process']],
  )
}

function grant(context: Context, name: string, users: string[], flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const role = await resolveRole(db, name, flags.client)
    const holders = await resolveHolders(db, users, flags.toClient)
    const by = { actor: operator(io) }
    const changed: string[] = []
    await transact(db, async (trx) => {
      for (const { label, ...holder } of holders)
        if (await grantRole(trx, role.id, holder, by)) changed.push(label)
    })
    if (flags.json) out.json({ role: role.id, granted: changed })
    out.say(
      changed.length === 0
        ? `They had ${role.id} already.`
        : `Gave ${role.id} to ${changed.join(', ')}.`,
    )
  })
}

function revoke(context: Context, name: string, users: string[], flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const role = await resolveRole(db, name, flags.client)
    const holders = await resolveHolders(db, users, flags.fromClient)
    const by = { actor: operator(io) }
    const changed: string[] = []
    await transact(db, async (trx) => {
      for (const { label, ...holder } of holders)
        if (await revokeRole(trx, role.id, holder, by)) changed.push(label)
    })
    if (flags.json) out.json({ role: role.id, revoked: changed })
    out.say(
      changed.length === 0
        ? `None of them has ${role.id} of their own; what comes by a group is taken there.`
        : `Took ${role.id} from ${changed.join(', ')}.`,
    )
  })
}

async function resolveHolders(
  db: Db,
  users: string[],
  clients: string[] = [],
): Promise<(Holder & { label: string })[]> {
  if (users.length + clients.length === 0) {
    throw new CliError(exitCodes.usage, 'Who? Name people, or an app.', [
      'See: idp roles grant --help',
    ])
  }
  const holders: (Holder & { label: string })[] = []
  for (const user of users) {
    const { id, username } = await resolveUser(db, user)
    holders.push({ kind: 'account', id, label: username })
  }
  for (const client of clients) {
    const { id, name } = await resolveClient(db, client)
    holders.push({ kind: 'client', id, label: name })
  }
  return holders
}
