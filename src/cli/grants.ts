/** `idp grants list revoke`: which app holds what of whom, and the end of it. */
import type { Command } from 'commander'
import type { Db } from '../database/connection.ts'
import { type Grant, listGrants, revokeGrants, type WhichGrants } from '../sessions/grants.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readCount } from './input.ts'
import { whichClient } from './sessions.ts'
import { resolveUser } from './user-find.ts'

type Flags = { account?: string; client?: string; json?: boolean }
type ListFlags = Flags & { limit: string; offline?: boolean; quiet?: boolean }

export function addGrants(program: Command, context: Context): void {
  const grants = program
    .command('grants')
    .helpCommand(false)
    .summary('what apps hold of people')
    .description('Grants: what one app was given of one person; every token hangs on one.')
  withExamples(
    grants
      .command('list')
      .summary('the newest first')
      .description('Lists living grants, the newest first.')
      .option('--account <user>', 'of this person, by username, address or id')
      .option('--client <client>', 'of this app')
      .option('--offline', 'only those that outlive the session')
      .option('--limit <number>', 'how many, 1000 at most', '100')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => list(context, flags)),
    [
      ['grants list --account ada --offline', 'apps that work for Ada while she is away'],
      ['grants list --client Cloud --json', 'for a program'],
    ],
  )
  withExamples(
    grants
      .command('revoke [grant]')
      .summary('end an app’s tokens')
      .description(
        'Ends grants with their refresh tokens and opaque tokens at once; JWT access tokens live out their minutes. Sessions go on, so an app may be let in again; to sign somebody out: idp sessions revoke.',
      )
      .option('--account <user>', 'all of this person')
      .option('--client <client>', 'all of this app')
      .option('--json', 'print JSON')
      .action((id: string | undefined, flags: Flags) => revoke(context, id, flags)),
    [
      ['grants revoke --account ada --client Cloud', 'one app of one person'],
      ['grants revoke --client Cloud', 'its tokens may have leaked'],
    ],
  )
}

function list(context: Context, flags: ListFlags): Promise<void> {
  const limit = readCount('--limit', flags.limit, 1000)
  return withDatabase(context, async ({ db, out }) => {
    const which = await readTarget(db, flags)
    const found = await listGrants(db, { ...which, offline: flags.offline ?? false, limit })
    if (flags.json) return out.json({ grants: found.map(grantJson) })
    if (flags.quiet) {
      for (const { id } of found) out.raw(id)
      return
    }
    if (found.length === 0) return out.say('No app holds anything.')
    out.table(
      ['USERNAME', 'APP', 'SCOPES', 'SINCE', 'LAST USED', 'ENDS', 'OFFLINE', 'GRANT'],
      found.map((grant) => [
        grant.username ?? '',
        grant.clientName ?? grant.clientId,
        grant.scopes.join(' '),
        stamp(grant.createdAt),
        grant.lastUsed ? stamp(grant.lastUsed) : '',
        stamp(grant.expiresAt),
        grant.offline ? 'yes' : '',
        grant.id,
      ]),
    )
    if (found.length === limit) out.say('There may be more: raise --limit, or name an account.')
  })
}

async function revoke(context: Context, id: string | undefined, flags: Flags): Promise<void> {
  if (id === undefined && flags.account === undefined && flags.client === undefined) {
    throw new CliError(exitCodes.usage, 'Which grants? Name one, or add --account or --client.', [
      'See: idp grants list',
    ])
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const which = await readTarget(db, flags, id)
    const revoked = await revokeGrants(db, which, operator(io))
    if (id !== undefined && revoked === 0) {
      throw new CliError(exitCodes.notFound, `There is no grant “${id}”.`, [
        'It may have ended. See: idp grants list',
      ])
    }
    if (flags.json) out.json({ revoked })
    out.say(revoked === 0 ? 'Nothing to end.' : `Ended ${revoked} with their tokens.`)
  })
}

async function readTarget(db: Db, flags: Flags, id?: string): Promise<WhichGrants> {
  const account = flags.account === undefined ? undefined : await resolveUser(db, flags.account)
  const client = flags.client === undefined ? undefined : await whichClient(db, flags.client)
  return {
    ...(id === undefined ? {} : { id }),
    ...(account ? { accountId: account.id } : {}),
    ...(client ? { clientId: client.id } : {}),
  }
}

function grantJson(grant: Grant): Record<string, unknown> {
  return {
    grant: grant.id,
    account_id: grant.accountId,
    username: grant.username,
    client_id: grant.clientId,
    scopes: grant.scopes,
    apis: grant.apis,
    offline: grant.offline,
    created_at: grant.createdAt,
    last_used_at: grant.lastUsed,
    expires_at: grant.expiresAt,
  }
}
