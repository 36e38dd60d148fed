/** `idp users export import`: everybody in a file, from here or from another system. */
import type { Command } from 'commander'
import { findRelyingParty, relyingPartyOf } from '../credentials/passkey-domain.ts'
import { FormatError } from '../moving/account-line.ts'
import { countAccounts, exportAccounts } from '../moving/export-accounts.ts'
import {
  type Imported,
  importAccounts,
  type LineProblem,
  nothingImported,
} from '../moving/import-accounts.ts'
import { readEntries, type Source, sources } from '../moving/sources.ts'
import { type Connected, type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { readFrom, writeTo } from './files.ts'
import { withExamples } from './help.ts'
import { createProgress } from './progress.ts'
import { printable } from './text.ts'

/** More is counted and not kept: a wrong file has as many as it has lines. */
const mostTold = 1000

export function addUsersMove(users: Command, context: Context): void {
  withExamples(
    users
      .command('export <file>')
      .summary('everybody, as JSON lines; - is standard output')
      .description(
        'Writes every proven account on a line of its own, with roles and passkeys. Not in it: authenticator apps and recovery codes (sealed with this deployment’s key), pictures, sessions and consents; those come with: idp backup create.',
      )
      .option(
        '--with-hashes',
        'with password hashes, so that people sign in elsewhere with their old passwords',
      )
      .action((file: string, flags: { withHashes?: boolean }) => exportTo(context, file, flags)),
    [
      ['users export people.jsonl --with-hashes', 'to move; the file is for your eyes only'],
      ['users export - | jq -r .email', 'addresses, for a mail to everybody'],
    ],
  )
  withExamples(
    users
      .command('import <files...>')
      .summary('accounts from a file; - is standard input')
      .description(
        'Adds the accounts of a file with their old passwords, which are replaced by our own hashes as people sign in. Whoever is here already stays as they are, so it can be run again at any time. Reads what idp users export wrote, Keycloak realm exports, rows of Logto’s table users, and Authelia’s users_database.yml. Roles come from our own files only.',
      )
      .option('--from <system>', sources.join(', '), 'idp')
      .option(
        '--on-conflict <what>',
        'somebody else has that name or address: fail (tell it) or skip',
        'fail',
      )
      .option('--vouch', 'you answer for addresses that are not marked as proven')
      .option(
        '--mend-usernames',
        'make names that could be none here into ones that could: Ada.L becomes ada_l',
      )
      .option('--dry-run', 'judge every line, and change nothing')
      .option('--json', 'print JSON')
      .action((files: string[], flags: ImportFlags) => importFrom(context, files, flags)),
    [
      ['users import people.jsonl --dry-run', 'what would happen'],
      ['users import realm-users-*.json --from keycloak --mend-usernames', 'from Keycloak'],
      [
        'users import users.jsonl --from logto',
        'from Logto: psql logto -Atc "select row_to_json(u) from users u" > users.jsonl',
      ],
      ['users import users_database.yml --from authelia', 'from Authelia'],
    ],
  )
}

function exportTo(context: Context, file: string, flags: { withHashes?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, io, out, config }) => {
    const progress = createProgress(io, 'accounts', await countAccounts(db))
    const withHashes = flags.withHashes ?? false
    const options = { withHashes, issuer: config.issuer, actor: operator(io) }
    const { accounts, leftOut, withFactors } = await writeTo(io, file, (write) =>
      exportAccounts(db, options, (line) => write(`${line}\n`), progress.update),
    ).finally(progress.end)
    out.say(`Exported ${accounts} accounts${withHashes ? ' with their password hashes' : ''}.`)
    if (leftOut > 0) out.say(`Left out ${leftOut} that have proven no address or are deleted.`)
    if (withFactors > 0)
      out.say(
        `${withFactors} have an authenticator app or recovery codes, which stay here; they enrol anew.`,
      )
    if (!withHashes) out.say('Without --with-hashes people set a new password by mail.')
  })
}

type ImportFlags = {
  from: string
  onConflict: string
  vouch?: boolean
  mendUsernames?: boolean
  dryRun?: boolean
  json?: boolean
}

function importFrom(context: Context, files: string[], flags: ImportFlags): Promise<void> {
  const source = oneOf('--from', flags.from, sources)
  const onConflict = oneOf('--on-conflict', flags.onConflict, ['fail', 'skip'] as const)
  return withDatabase(context, async (connected) => {
    const { out } = connected
    const told: (LineProblem & { file: string })[] = []
    const total = nothingImported()
    for (const file of files) {
      const counts = await importFile(
        connected,
        file,
        { ...flags, source, onConflict },
        (problem) => {
          if (told.length < mostTold) told.push({ file, ...problem })
          if (!flags.json) {
            const where = files.length > 1 ? `${file}, line` : 'line'
            out.say(
              `${where} ${problem.line}: ${printable(problem.field)} ${printable(problem.message)}.`,
            )
          }
        },
      )
      for (const key of Object.keys(total) as (keyof Imported)[]) total[key] += counts[key]
    }
    tell(connected, total, told, flags)
    if (total.invalid > 0)
      throw new CliError(
        exitCodes.refused,
        `${total.invalid} lines are not usable; the others ${flags.dryRun ? 'are fine' : 'are in'}.`,
      )
    if (total.conflicts > 0 && onConflict === 'fail')
      throw new CliError(
        exitCodes.conflict,
        `${total.conflicts} belong to somebody else here; the others are in.`,
        ['They stay as they are. To pass them over: --on-conflict skip'],
      )
  })
}

async function importFile(
  { db, io, config }: Connected,
  file: string,
  flags: ImportFlags & { source: Source; onConflict: 'fail' | 'skip' },
  onProblem: (problem: LineProblem) => void,
): Promise<Imported> {
  const { chunks, size } = await readFrom(io, file)
  let bytes = 0
  async function* counted() {
    for await (const chunk of chunks) {
      bytes += chunk.length
      yield chunk
    }
  }
  const own = relyingPartyOf(config)
  const progress = createProgress(io, 'accounts')
  const bar = createProgress(io, 'bytes read', size)
  try {
    return await importAccounts(db, readEntries(flags.source, counted()), {
      actor: operator(io),
      source: flags.source,
      passkeyDomain: own ? (await findRelyingParty(db, own)).id : '',
      onConflict: flags.onConflict,
      vouched: flags.vouch ?? false,
      mendUsernames: flags.mendUsernames ?? false,
      dryRun: flags.dryRun ?? false,
      onProblem(problem) {
        // Words begin on a line of their own, not behind the bar.
        bar.end()
        onProblem(problem)
      },
      onProgress: (read) => (size === undefined ? progress.update(read) : bar.update(bytes)),
    })
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new CliError(exitCodes.usage, `${file} cannot be imported. ${error.message}`, [
      `Is it from elsewhere? Add --from: ${sources.join(', ')}`,
    ])
  } finally {
    bar.end()
  }
}

function tell(
  { out }: Connected,
  total: Imported,
  problems: object[],
  { json, dryRun = false }: ImportFlags,
): void {
  if (json) {
    out.json({
      import: {
        dry_run: dryRun,
        read: total.read,
        imported: total.imported,
        already_here: total.already,
        conflicts: total.conflicts,
        invalid: total.invalid,
        passkeys: total.passkeys,
        passkeys_left_out: total.passkeysLeftOut,
        without_password: total.withoutPassword,
        problems,
      },
    })
  }
  out.say(
    `${dryRun ? 'Would import' : 'Imported'} ${total.imported} of ${total.read} accounts; ${total.already} were here already.`,
  )
  if (total.withoutPassword > 0)
    out.say(
      `${total.withoutPassword} have no password that could come along: they set one by mail.`,
    )
  if (total.passkeysLeftOut > 0)
    out.say(
      `Left out ${total.passkeysLeftOut} passkeys of another domain, where they would never work.`,
    )
}

function oneOf<T extends string>(flag: string, given: string, known: readonly T[]): T {
  const found = known.find((name) => name === given)
  if (found) return found
  throw new CliError(exitCodes.usage, `${flag} cannot be “${given}”.`, [
    `Give ${known.join(', ')}.`,
  ])
}
