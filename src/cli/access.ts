/** `idp access check`: may somebody do something, and why. */
import type { Command } from 'commander'
import { parseInstant } from '../roles/conditions.ts'
import { explainDecision, type Question, type Reason } from '../roles/decide.ts'
import { type HeldRole, listHeldRoles } from '../roles/holders.ts'
import { readHoldings } from '../roles/holdings.ts'
import { formatPermission } from '../roles/permission.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { resolveUser } from './user-find.ts'

type Flags = {
  client?: string
  owner?: string
  acr?: string
  address?: string
  time?: string
  json?: boolean
}

export function addAccess(program: Command, context: Context): void {
  const access = program
    .command('access')
    .helpCommand(false)
    .summary('who may do what, and why')
    .description('Decisions, as services get them.')
  withExamples(
    access
      .command('check <user> <action> <resource>')
      .summary('may somebody do something?')
      .description(
        'Says whether, by which role, and what a permission that came near lacks. Ends with 0 for yes and 5 for no. RESOURCE is a type, or TYPE:ID.',
      )
      .option('--owner <user>', 'whose the resource is')
      .option('--client <client>', 'the app that asks; its own roles count as well')
      .option('--acr <level>', 'how they have signed in')
      .option('--address <address>', 'where they are')
      .option('--time <time>', 'another time than now (2026-01-31T09:00:00Z)')
      .option('--json', 'print JSON')
      .action((user: string, action: string, resource: string, flags: Flags) =>
        check(context, user, action, resource, flags),
      ),
    [
      ['access check ada read notes:42', 'one note'],
      [
        'access check ada delete notes:42 --owner ada --acr 2fa',
        'a note of hers, after two factors',
      ],
    ],
  )
}

function check(
  context: Context,
  user: string,
  action: string,
  resource: string,
  flags: Flags,
): Promise<void> {
  const time = flags.time === undefined ? Date.now() : parseInstant(flags.time)
  if (time === undefined) {
    throw new CliError(exitCodes.usage, `--time cannot be “${flags.time}”.`, [
      'Give one such as 2026-01-31T09:00:00Z.',
    ])
  }
  return withDatabase(context, async ({ db, out }) => {
    const account = await resolveUser(db, user)
    const client = flags.client === undefined ? undefined : await resolveClient(db, flags.client)
    const owner = flags.owner === undefined ? undefined : await resolveUser(db, flags.owner)
    const [type = '', ...id] = resource.split(':')
    const question: Question = {
      action,
      resource: { type, id: id.length > 0 ? id.join(':') : undefined, owner: owner?.id },
      context: {
        time: new Date(time),
        acr: flags.acr,
        client: client?.id,
        address: flags.address,
      },
    }
    const holdings = await readHoldings(db, { kind: 'account', id: account.id }, { at: client?.id })
    const { allowed, because } = explainDecision(holdings, question)
    const held = await listHeldRoles(db, account.id)
    if (flags.json) {
      out.json({
        allowed,
        because: because.map(({ role, permission, lacks }) => ({
          role,
          permission: formatPermission(permission),
          lacks,
        })),
      })
    } else {
      for (const reason of because) out.raw(tell(reason, held))
      if (account.status !== 'active')
        out.raw(`The account is ${account.status}, and holds nothing.`)
      else if (because.length === 0) out.raw(`No role of theirs speaks of ${action} on ${type}.`)
    }
    if (!allowed) throw new CliError(exitCodes.refused, `${account.username} may not.`)
    out.say(`${account.username} may.`)
  })
}

function tell({ role, permission, lacks }: Reason, held: HeldRole[]): string {
  const { groups = [], own = false } = held.find((each) => each.role === role) ?? {}
  const by = role === 'user' ? 'everybody’s' : own ? 'of their own' : `by ${groups.join(', ')}`
  const text = `${role} (${by}): ${formatPermission(permission)}`
  return lacks.length === 0 ? text : `${text} – not met: ${lacks.join(', ')}`
}
