/** `idp users recover`: a way back in for somebody who has lost the password and gets no mail. */
import type { Command } from 'commander'
import {
  createRecoveryLink,
  longestRecoverySeconds,
  shortestRecoverySeconds,
} from '../credentials/recovery-link.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { parseDuration } from './input.ts'
import { resolveUser } from './user-find.ts'

type Flags = { expires: string; json?: boolean }

export function addUsersRecover(users: Command, context: Context): void {
  withExamples(
    users
      .command('recover <user>')
      .summary('a link to choose a new password, good once')
      .description(
        'Prints a link at which this person chooses a new password: good once, for a short time, and shown only here. Make sure who is asking: whoever opens it has the account. You never learn the password. A second factor is asked for as ever; where that is lost too: idp users reset-factors.',
      )
      .option('--expires <duration>', 'how long it works, 24h at most', '30m')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags) => recover(context, user, flags)),
    [
      ['users recover ada', 'for the next half an hour'],
      ['users recover ada --expires 2h', 'she will read it after lunch'],
    ],
  )
}

function recover(context: Context, user: string, flags: Flags): Promise<void> {
  const seconds = parseDuration(flags.expires) ?? 0
  if (seconds < shortestRecoverySeconds || seconds > longestRecoverySeconds) {
    throw new CliError(exitCodes.usage, `--expires cannot be “${flags.expires}”.`, [
      'Give 1m to 24h.',
    ])
  }
  return withDatabase(context, async ({ db, out, io, config }) => {
    const { id, username, status } = await resolveUser(db, user)
    const made = await createRecoveryLink(db, id, seconds, operator(io))
    if (!made) {
      throw new CliError(
        exitCodes.refused,
        `${username} is ${status}: a password would open nothing.`,
        [
          status === 'disabled'
            ? `Switch the account on first: idp users enable ${username}`
            : 'The address was never proven. See: idp users get',
        ],
      )
    }
    const link = `${config.issuer}/reset-password?token=${made.token}`
    if (flags.json) {
      out.json({ recovery: { username, link, expires_at: made.expiresAt.toISOString() } })
    } else out.raw(link)
    out.say(
      `For ${username}, until ${stamp(made.expiresAt)}. It works once, and is not shown again.`,
    )
    out.say('Everybody who is signed in as them is signed out then. The act is in the audit trail.')
  })
}
