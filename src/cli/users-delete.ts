/** `idp users delete`: somebody leaves, as they could by themselves, or at once. */
import type { Command } from 'commander'
import { findAccount } from '../accounts/accounts.ts'
import { eraseAccount, graceDays, leave } from '../accounts/leaving.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { confirm } from './input.ts'
import { resolveUser } from './user-find.ts'

type Flags = { atOnce?: boolean; yes?: boolean; json?: boolean }

export function addUsersDelete(users: Command, context: Context): void {
  withExamples(
    users
      .command('delete <user>')
      .summary('have somebody leave')
      .description(
        `Ends every session and token, tells the person by mail and erases the account after ${graceDays} days; a sign-in until then takes it back. The last admin stays. Asks first.`,
      )
      .option('--at-once', 'erase it now; nothing takes it back')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags) => remove(context, user, flags)),
    [
      ['users delete mallory', `gone in ${graceDays} days`],
      ['users delete mallory --at-once --yes', 'gone now, from a script'],
    ],
  )
}

function remove(
  context: Context,
  user: string,
  { atOnce = false, yes, json }: Flags,
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { id, username } = await resolveUser(db, user)
    const when = atOnce ? 'now, for good' : `in ${graceDays} days`
    if (!yes && !(await confirm(io, `Erase ${username} ${when}?`))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    const by = { actor: operator(io) }
    if (atOnce) await eraseAccount(db, id, by)
    else await leave(db, id, by)
    const due = atOnce ? null : ((await findAccount(db, id))?.deletionDueAt?.toISOString() ?? null)
    if (json) out.json({ deleted: { id, username, erased: atOnce, deletion_due_at: due } })
    out.say(
      atOnce
        ? `Erased ${username}.`
        : `${username} is signed out everywhere, and erased in ${graceDays} days unless they sign in.`,
    )
  })
}
