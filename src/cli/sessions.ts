/** `idp sessions list revoke`: who is signed in where, and the end of it. */
import type { Command } from 'commander'
import { parseDocumentUrl } from '../clients/document-client.ts'
import type { Db } from '../database/connection.ts'
import { revokeSessions, type WhichSessions } from '../sessions/end-sessions.ts'
import { listSessions, type Session } from '../sessions/sessions.ts'
import { stamp } from './client-view.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readCount } from './input.ts'
import { resolveUser } from './user-find.ts'

type Flags = { account?: string; client?: string; json?: boolean }
type ListFlags = Flags & { limit: string; quiet?: boolean }

export function addSessions(program: Command, context: Context): void {
  const sessions = program
    .command('sessions')
    .helpCommand(false)
    .summary('who is signed in where')
    .description('Sessions: one browser that somebody has signed in with, and the apps it opened.')
  withExamples(
    sessions
      .command('list')
      .summary('the newest sign-in first')
      .description('Lists sessions, the newest sign-in first.')
      .option('--account <user>', 'of this person, by username, address or id')
      .option('--client <client>', 'that opened this app')
      .option('--limit <number>', 'how many, 1000 at most', '100')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => list(context, flags)),
    [
      ['sessions list --account ada', 'where Ada is signed in'],
      ['sessions list --client Cloud --json', 'for a program'],
    ],
  )
  withExamples(
    sessions
      .command('revoke [session]')
      .summary('sign somebody out, or everybody out of an app')
      .description(
        'Ends sessions with every token that hangs on them, refresh tokens included, and tells the apps that can be told. With --client people stay signed in here, and leave that app.',
      )
      .option('--account <user>', 'everywhere this person is signed in')
      .option('--client <client>', 'everybody at this app')
      .option('--json', 'print JSON')
      .action((uid: string | undefined, flags: Flags) => revoke(context, uid, flags)),
    [
      ['sessions revoke --account mallory', 'out of everything, at once'],
      ['sessions revoke --client Cloud', 'its tokens may have leaked'],
      ['sessions revoke --account ada --client Cloud', 'one person out of one app'],
    ],
  )
}

function list(context: Context, flags: ListFlags): Promise<void> {
  const limit = readCount('--limit', flags.limit, 1000)
  return withDatabase(context, async ({ db, out }) => {
    const { which } = await readTarget(db, flags)
    const found = await listSessions(db, { ...which, limit })
    if (flags.json) return out.json({ sessions: found.map(sessionJson) })
    if (flags.quiet) {
      for (const { uid } of found) out.raw(uid)
      return
    }
    if (found.length === 0) return out.say('Nobody is signed in.')
    out.table(
      ['USERNAME', 'SIGNED IN', 'ENDS', 'APPS', 'SESSION'],
      found.map((session) => [
        session.username,
        stamp(session.signedInAt),
        stamp(session.expiresAt),
        session.clientIds.join(' '),
        session.uid,
      ]),
    )
    if (found.length === limit) out.say('There may be more: raise --limit, or name an account.')
  })
}

async function revoke(context: Context, uid: string | undefined, flags: Flags): Promise<void> {
  if (uid === undefined && flags.account === undefined && flags.client === undefined) {
    throw new CliError(exitCodes.usage, 'Whose sessions? Name one, or add --account or --client.', [
      'See: idp sessions list',
    ])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const { which, words } = await readTarget(db, flags, uid)
    if (uid !== undefined && (await listSessions(db, { uid })).length === 0) {
      throw new CliError(exitCodes.notFound, `There is no session “${uid}”.`, [
        'It may have ended. See: idp sessions list',
      ])
    }
    const { sessions, grants, told } = await revokeSessions(db, which, { actor: operator(io) })
    if (flags.json) out.json({ sessions, grants, told })
    if (sessions + grants === 0) return out.say(`Nothing to end for ${words}.`)
    out.say(`Signed out ${words}. Sessions: ${sessions}; grants with their tokens: ${grants}.`)
    if (told.length > 0) out.say(`Being told by the server: ${told.join(', ')}.`)
  })
}

type Target = { which: WhichSessions; words: string }

/** Throws "not found" for a person or an app that is not there. */
async function readTarget(db: Db, flags: Flags, uid?: string): Promise<Target> {
  const account = flags.account === undefined ? undefined : await resolveUser(db, flags.account)
  const client = flags.client === undefined ? undefined : await whichClient(db, flags.client)
  const who = account?.username ?? (uid === undefined ? 'everybody' : 'that browser')
  return {
    which: {
      ...(uid === undefined ? {} : { uid }),
      ...(account ? { accountId: account.id } : {}),
      ...(client ? { clientId: client.id } : {}),
    },
    words: `${who} ${client ? `at ${client.name}` : 'everywhere'}`,
  }
}

/** An app that only its own document describes has no row, and is its id. */
export async function whichClient(db: Db, nameOrId: string): Promise<{ id: string; name: string }> {
  const url = parseDocumentUrl(nameOrId)
  return url ? { id: nameOrId, name: nameOrId } : resolveClient(db, nameOrId)
}

function sessionJson(session: Session): Record<string, unknown> {
  return {
    session: session.uid,
    account_id: session.accountId,
    username: session.username,
    signed_in_at: session.signedInAt,
    expires_at: session.expiresAt,
    acr: session.acr,
    amr: session.amr,
    clients: session.clientIds,
  }
}
