/** `idp users reset-factors`: for somebody who has lost their phone, their paper and their keys. */
import type { Command } from 'commander'
import { resetFactors } from '../credentials/reset-factors.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { confirm } from './input.ts'
import { resolveUser } from './user-find.ts'

type Flags = { yes?: boolean; json?: boolean }

export function addUsersFactors(users: Command, context: Context): void {
  withExamples(
    users
      .command('reset-factors <user>')
      .summary('take away every second factor and passkey')
      .description(
        'Takes away authenticator apps, recovery codes, passkeys and remembered browsers. The password is left; the person is told by mail. Make sure who is asking: whoever has the password gets in with it alone.',
      )
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags) => reset(context, user, flags)),
    [
      ['users reset-factors ada', 'asks first'],
      ['users reset-factors ada --yes', 'in a script'],
    ],
  )
}

function reset(context: Context, user: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { id, username } = await resolveUser(db, user)
    const question = `Take away every second factor and passkey of ${username}?`
    if (!flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was taken away.', [
        'Answer y, or add --yes where nobody can be asked.',
      ])
    }
    const removed = await resetFactors(db, id, operator(io))
    const { authenticators, recoveryCodes, passkeys, rememberedDevices } = removed
    if (flags.json) {
      out.json({
        removed: {
          authenticators,
          recovery_codes: recoveryCodes,
          passkeys,
          remembered_devices: rememberedDevices,
        },
      })
    }
    out.say(
      `Reset ${username}. Authenticator apps: ${authenticators}; recovery codes: ${recoveryCodes}; passkeys: ${passkeys}; remembered browsers: ${rememberedDevices}.`,
    )
  })
}
