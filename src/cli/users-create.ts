/** `idp users create`: an account by an operator's hand. The password comes by standard input alone. */
import type { Command } from 'commander'
import { getAccount } from '../accounts/accounts.ts'
import type { CommandConfig } from '../config/commands.ts'
import { readConfig } from '../config.ts'
import { createPasswordHasher } from '../credentials/password-hasher.ts'
import { createKeyring, randomToken } from '../crypto.ts'
import type { FieldError } from '../errors.ts'
import { registerByOperator } from '../registration/by-operator.ts'
import { createViews } from '../views.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, fieldWithFlag } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, readSecret } from './input.ts'
import { userJson } from './user-view.ts'

type CreateFlags = {
  email?: string
  verified?: boolean
  role?: string[]
  name?: string
  passwordStdin?: boolean
  json?: boolean
}

export function addUsersCreate(users: Command, context: Context): void {
  const command = users
    .command('create <username>')
    .summary('make an account')
    .description(
      'Makes an account. Without --verified the person proves the address: at the first sign-in they are asked for a mailed code.',
    )
    .option('--email <address>', 'where mail reaches the person')
    .option('--verified', 'you vouch for the address')
    .option('--role <role>', 'such as admin; may be repeated', collect)
    .option('--name <name>', 'shown to apps; the username when not given')
    .option('--password-stdin', 'read the password from standard input')
    .option('--json', 'print JSON')
    .action((username: string, flags: CreateFlags) => create(context, username, flags))
  withExamples(command, [
    [
      'users create ada --email ada@example.org --verified --role admin --password-stdin < password.txt',
      'the first admin',
    ],
    [
      'users create bob --email bob@example.org',
      'at a terminal, asks for the password and shows nothing',
    ],
  ])
}

async function create(context: Context, username: string, flags: CreateFlags): Promise<void> {
  const { io, out } = context
  const { email, verified = false, role: roles = [], name } = flags
  if (email === undefined)
    throw new CliError(exitCodes.usage, 'Whose address is it? Add --email ADDRESS.')
  const wrong = roles.find((role) => !/^[a-z][a-z0-9_.:-]{0,63}$/.test(role))
  if (wrong !== undefined) {
    throw new CliError(exitCodes.refused, `role (--role) cannot be “${wrong}”.`, [
      'A role reads like admin or billing.read.',
    ])
  }
  if (!flags.passwordStdin && !io.stdin.isTTY) {
    throw new CliError(exitCodes.usage, 'There is no terminal to ask for the password at.', [
      'Add --password-stdin and send it there, for example: idp users create … --password-stdin < password.txt',
    ])
  }
  const password = await readSecret(io, `Password for ${username}: `)
  await withDatabase(context, async ({ db, config }) => {
    const made = await registerByOperator(
      {
        db,
        config: { ...config, registration: 'open' },
        hasher: createPasswordHasher({ slots: 1 }),
        keyring: createKeyring(secretKeys(io.env, verified)),
      },
      { username, email, password, name, verified, roles },
      operator(io),
    )
    if (!made.ok) throw refused(made.errors, config)
    const account = await getAccount(db, made.accountId)
    const user = await userJson(db, account)
    if (flags.json) out.json({ user })
    else
      out.fields([
        ['Username', account.username],
        ['Id', account.id],
        ['Status', made.status],
        ['Roles', roles],
      ])
    out.say(
      verified
        ? `Created ${account.username}, who can sign in now.`
        : `Created ${account.username}. A code is on its way to ${email}; it is asked for at the first sign-in.`,
    )
  })
}

/** Proofs that the server will recognise need its secret. For a vouched-for address none is made. */
function secretKeys(env: NodeJS.ProcessEnv, verified: boolean): string[] {
  return verified ? [randomToken()] : readConfig(env).secretKeys
}

function refused(
  errors: FieldError[],
  { brandName, issuer, passwordMinLength }: CommandConfig,
): CliError {
  const views = createViews({ brandName, issuer })
  const taken = errors.every(({ code }) => code.endsWith('_taken'))
  const lines = errors.map(({ field, code }) => {
    const words = views.t('en', `errors.${code}`, {
      minimum: passwordMinLength,
      count: passwordMinLength,
    })
    const atLeast =
      code === 'password_too_short' ? ` It needs at least ${passwordMinLength} characters.` : ''
    return `${fieldWithFlag(field)}: ${words}${atLeast}`
  })
  return new CliError(
    taken ? exitCodes.conflict : exitCodes.refused,
    'The account was refused; nothing was stored.',
    lines,
  )
}
