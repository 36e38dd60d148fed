/** `idp invites create list get revoke`: who may make an account where registration is by invitation. */
import { type Command, Option } from 'commander'
import { readSecretKeys } from '../config/commands.ts'
import { createKeyring } from '../crypto.ts'
import { invitePath } from '../invites/codes.ts'
import {
  createInvite,
  findInvite,
  type Invite,
  listInvites,
  revokeInvite,
} from '../invites/invites.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, parseDuration } from './input.ts'
import type { Cell, Output } from './output.ts'
import { didYouMean } from './text.ts'

type Flags = { json?: boolean }
type CreateFlags = Flags & {
  uses: string
  expires: string
  role?: string[]
  email?: string
  send?: boolean
  locale: 'en' | 'zh-CN'
  note?: string
}

export function addInvites(program: Command, context: Context): void {
  const group = program
    .command('invites')
    .helpCommand(false)
    .summary('who may make an account by invitation')
    .description(
      'Invitations: codes that let people make an account where REGISTRATION=invite, with roles from the first day. Where registration is open they bring their roles.',
    )
  withExamples(
    group
      .command('create')
      .summary('invite somebody')
      .description('Makes an invitation and prints its code and link once; only its hash is kept.')
      .option('--uses <number>', 'how many people it lets in', '1')
      .option('--expires <time>', 'how long it lasts, or never', '7d')
      .option('--role <role>', 'what they are from the first day; may be repeated', collect)
      .option('--email <address>', 'only whoever proves this address comes in')
      .option('--send', 'mail it to that address')
      .addOption(
        new Option('--locale <language>', 'of that mail').choices(['en', 'zh-CN']).default('en'),
      )
      .option('--note <text>', 'for you and other admins')
      .option('--json', 'print JSON')
      .action((flags: CreateFlags) => create(context, flags)),
    [
      ['invites create --email mei@example.org --send', 'one person, told by mail'],
      [
        'invites create --uses 30 --expires 30d --role student --note "class 4b"',
        'a code for the blackboard',
      ],
    ],
  )
  withExamples(
    group
      .command('list')
      .summary('every invitation, never its code')
      .description('Lists the invitations, the newest first, with what is left of each.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Flags & { quiet?: boolean }) => list(context, flags)),
    [['invites list', 'which still let somebody in']],
  )
  withExamples(
    group
      .command('get <id>')
      .summary('one of them')
      .description('Shows one invitation, never its code.')
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags) => get(context, id, flags)),
    [['invites get 4f0c2a9b1e', 'how many came by it']],
  )
  withExamples(
    group
      .command('revoke <id>')
      .summary('nobody comes in by it any more')
      .description(
        'Ends an invitation. Whoever has begun with it and has not proven the address yet does not come in; whoever is in stays.',
      )
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags) => revoke(context, id, flags)),
    [['invites revoke 4f0c2a9b1e', 'at once']],
  )
}

async function create(context: Context, flags: CreateFlags): Promise<void> {
  const uses = /^\d{1,7}$/.test(flags.uses) ? Number(flags.uses) : 0
  const lifetimeSeconds = flags.expires === 'never' ? null : parseDuration(flags.expires)
  if (uses < 1 || uses > 1_000_000) throw wrong('--uses', flags.uses, 'Give a number from 1 on.')
  if (lifetimeSeconds === undefined) {
    throw wrong('--expires', flags.expires, 'Give a time such as 12h or 30d, or never.')
  }
  if (flags.send && !flags.email) {
    throw new CliError(exitCodes.usage, 'Who is it to be sent to?', ['Add --email ADDRESS.'])
  }
  await withDatabase(context, async ({ db, out, io, config: { issuer } }) => {
    const keyring = createKeyring(readSecretKeys(io.env, { mayBeFirst: true }))
    const input = {
      uses,
      lifetimeSeconds,
      roles: flags.role ?? [],
      email: flags.email,
      note: flags.note,
      sendIn: flags.send ? flags.locale : undefined,
    }
    const { code, invite } = await createInvite({ db, keyring }, input, { actor: operator(io) })
    const link = issuer + invitePath(code)
    if (flags.json) return out.json({ invite: { ...inviteJson(invite), code, link } })
    out.fields([['Code', code], ['Link', link], ...fieldsOf(invite)])
    out.say(
      flags.send
        ? `It is on its way to ${invite.email}. This is the only time that it is shown.`
        : 'This is the only time that the code is shown.',
    )
  })
}

function list(context: Context, flags: Flags & { quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listInvites(db)
    if (flags.json) return out.json({ invites: all.map(inviteJson) })
    if (flags.quiet) return out.lines(all.map(({ id }) => id))
    if (all.length === 0) return out.say('Nobody is invited. The first: idp invites create --help')
    out.table(['ID', 'STATE', 'USED', 'ENDS', 'FOR', 'ROLES', 'NOTE', 'BY'], all.map(asRow))
  })
}

function get(context: Context, id: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const invite = await findInvite(db, id)
    if (!invite) throw missing(id, await listInvites(db))
    show(out, invite, flags)
  })
}

function revoke(context: Context, id: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const revoked = await revokeInvite(db, id, { actor: operator(io) })
    const invite = await findInvite(db, id)
    if (!invite) throw missing(id, await listInvites(db))
    if (flags.json) out.json({ invite: inviteJson(invite) })
    out.say(
      revoked
        ? `Revoked ${id}. It let in ${invite.used} of ${invite.uses}, who stay.`
        : `${id} was revoked already.`,
    )
  })
}

function show(out: Output, invite: Invite, flags: Flags): void {
  if (flags.json) out.json({ invite: inviteJson(invite) })
  else out.fields(fieldsOf(invite))
}

function inviteJson(invite: Invite): Record<string, unknown> {
  const { id, state, uses, used, roles, email, note, createdBy, createdAt } = invite
  return {
    id,
    state,
    uses,
    used,
    roles,
    email,
    note,
    created_by: createdBy,
    created_at: createdAt,
    expires_at: invite.expiresAt,
    revoked_at: invite.revokedAt,
  }
}

function fieldsOf(invite: Invite): [string, string | string[]][] {
  return [
    ['ID', invite.id],
    ['State', invite.state],
    ['Used', `${invite.used} of ${invite.uses}`],
    ['Until', invite.expiresAt ? stamp(invite.expiresAt) : 'never ends by itself'],
    ['For', invite.email ?? 'whoever has it'],
    ['Roles', invite.roles.length > 0 ? invite.roles : 'none'],
    ['Note', invite.note ?? ''],
    ['By', invite.createdBy],
  ]
}

function asRow(invite: Invite): Cell[] {
  const { id, state, uses, used, email, roles, note, createdBy, expiresAt } = invite
  const style = state === 'open' ? 'green' : 'red'
  return [
    id,
    { text: state, style },
    `${used} of ${uses}`,
    expiresAt ? stamp(expiresAt) : 'never',
    email ?? '',
    roles.join(' '),
    note ?? '',
    createdBy,
  ]
}

function missing(id: string, all: Invite[]): CliError {
  const near = didYouMean(
    id,
    all.map((invite) => invite.id),
  )
  return new CliError(exitCodes.notFound, `There is no invitation “${id}”.`, [
    near ? `Did you mean ${near}?` : 'See: idp invites list',
  ])
}

function wrong(flag: string, given: string, fix: string): CliError {
  return new CliError(exitCodes.usage, `${flag} cannot be “${given}”.`, [fix])
}
