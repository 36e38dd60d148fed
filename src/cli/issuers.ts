/** `idp issuers create list delete`: others whose signed word about a person we take (RFC 7523). */
import { type Command, Option } from 'commander'
import {
  createIssuer,
  defaultAssertionSeconds,
  deleteIssuer,
  listIssuers,
  type SubjectMapping,
  subjectMappings,
  type TrustedIssuer,
} from '../clients/issuers.ts'
import { theirAlgorithms } from '../clients/rules/signatures.ts'
import { splitScope } from '../clients/scopes.ts'
import { readJwks } from './client-options.ts'
import { stamp } from './client-view.ts'
import { resolveClient } from './clients-find.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, confirm, parseDuration } from './input.ts'
import { didYouMean } from './text.ts'

type CreateFlags = {
  jwksUri?: string
  jwksFile?: string
  client: string[]
  scope: string
  subject: SubjectMapping
  maxLifetime?: string
  alg?: string[]
  json?: boolean
}

export function addIssuers(program: Command, context: Context): void {
  const issuers = program
    .command('issuers')
    .helpCommand(false)
    .summary('others whose word about people we take')
    .description(
      'Trusted issuers of assertions (RFC 7523): a client brings what one of them signed about a person, and gets a token for that person.',
    )
  withExamples(
    issuers
      .command('create <issuer>')
      .summary('trust an issuer')
      .description(
        'Trusts an issuer, for the clients and scopes that are named. Its assertions are for us alone, good once, and about people who have an account here.',
      )
      .option('--jwks-uri <url>', 'where its public keys are published')
      .option('--jwks-file <file>', 'or its public keys; - is standard input')
      .requiredOption('--client <client>', 'who may bring its assertions; may be repeated', collect)
      .requiredOption('--scope <scopes>', 'the most that a token may carry, separated by spaces')
      .addOption(
        new Option(
          '--subject <mapping>',
          'whom its sub means: an account’s id, a username, or by its verified email',
        )
          .choices(subjectMappings)
          .default('account'),
      )
      .option(
        '--max-lifetime <time>',
        `the longest life of an assertion; ${defaultAssertionSeconds}s when not given, 1h at most`,
      )
      .option(
        '--alg <alg>',
        `how it signs: ${theirAlgorithms.join(', ')}; may be repeated; all of them when not given`,
        collect,
      )
      .option('--json', 'print JSON')
      .action((issuer: string, flags: CreateFlags) => create(context, issuer, flags)),
    [
      [
        'issuers create https://ci.example.net --jwks-uri https://ci.example.net/jwks --client Deploy --scope deploy --subject username',
        'builds act for the person who started them',
      ],
    ],
  )
  withExamples(
    issuers
      .command('list')
      .summary('every trusted issuer')
      .description('Lists every trusted issuer.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean; quiet?: boolean }) => list(context, flags)),
    [['issuers list', 'who is trusted, for whom and for what']],
  )
  withExamples(
    issuers
      .command('delete <issuer>')
      .summary('trust it no longer')
      .description(
        'Removes a trusted issuer. Tokens that are out live to their end, minutes at most. Asks first.',
      )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((issuer: string, flags: { yes?: boolean; json?: boolean }) =>
        remove(context, issuer, flags),
      ),
    [['issuers delete https://ci.example.net --yes', 'from a script']],
  )
}

async function create(context: Context, issuer: string, flags: CreateFlags): Promise<void> {
  const lifetime = flags.maxLifetime
  const seconds = lifetime === undefined ? defaultAssertionSeconds : parseDuration(lifetime)
  if (seconds === undefined) {
    throw new CliError(exitCodes.usage, `--max-lifetime cannot be “${lifetime}”.`, [
      'Give a time such as 60s or 5m.',
    ])
  }
  await withDatabase(context, async ({ db, out, io, config }) => {
    const clients = await Promise.all(flags.client.map((name) => resolveClient(db, name)))
    const jwks = flags.jwksFile === undefined ? undefined : await readJwks(io, flags.jwksFile)
    const result = await createIssuer(
      db,
      {
        issuer,
        jwks,
        jwksUri: flags.jwksUri,
        algorithms: flags.alg ?? [...theirAlgorithms],
        subject: flags.subject,
        scopes: splitScope(flags.scope),
        maxLifetimeSeconds: seconds,
        clients,
      },
      { actor: operator(io), ourIssuer: config.issuer },
    )
    if (!result.ok && result.reason === 'taken') {
      throw new CliError(exitCodes.conflict, `${issuer} is trusted already.`, [
        'To change it: idp issuers delete, then create it again.',
      ])
    }
    if (!result.ok) throw refusal('The issuer was refused; nothing was stored.', result.problems)
    if (flags.json) out.json({ issuer: issuerJson(result.issuer) })
    else out.fields(fieldsOf(result.issuer))
    out.say(`Trusted. Its assertions name ${config.issuer} as their audience, and are good once.`)
  })
}

function list(context: Context, flags: { json?: boolean; quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listIssuers(db)
    if (flags.json) return out.json({ issuers: all.map(issuerJson) })
    if (flags.quiet) return out.lines(all.map(({ issuer }) => issuer))
    if (all.length === 0)
      return out.say('No issuer is trusted. The first: idp issuers create --help')
    out.table(
      ['ISSUER', 'SUBJECT', 'CLIENTS', 'SCOPES', 'ASSERTIONS LIVE'],
      all.map((issuer) => [
        issuer.issuer,
        issuer.subject,
        issuer.clientIds.join(' '),
        issuer.scopes.join(' '),
        `${issuer.maxLifetimeSeconds} s`,
      ]),
    )
  })
}

function remove(
  context: Context,
  issuer: string,
  flags: { yes?: boolean; json?: boolean },
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const all = await listIssuers(db)
    const known = all.map((trusted) => trusted.issuer)
    const found = all.find((trusted) => trusted.issuer === issuer)
    if (!found) {
      const near = didYouMean(issuer, known)
      throw new CliError(exitCodes.notFound, `${issuer} is not trusted.`, [
        near ? `Did you mean ${near}?` : 'See: idp issuers list',
      ])
    }
    if (!flags.yes && !(await confirm(io, `Trust ${issuer} no longer?`))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    await deleteIssuer(db, issuer, { actor: operator(io) })
    if (flags.json) out.json({ deleted: issuerJson(found) })
    out.say(`Deleted. What ${issuer} signs is worth nothing here any more.`)
  })
}

function issuerJson(issuer: TrustedIssuer) {
  return {
    issuer: issuer.issuer,
    ...(issuer.jwks ? { jwks: issuer.jwks } : { jwks_uri: issuer.jwksUri }),
    algorithms: issuer.algorithms,
    subject: issuer.subject,
    client_ids: issuer.clientIds,
    scopes: issuer.scopes,
    max_lifetime_seconds: issuer.maxLifetimeSeconds,
    created_at: issuer.createdAt.toISOString(),
  }
}

function fieldsOf(issuer: TrustedIssuer): [string, string | string[]][] {
  return [
    ['Issuer', issuer.issuer],
    ['Keys', issuer.jwksUri ?? (issuer.jwks?.keys ?? []).map(({ kid, kty }) => `${kid ?? kty}`)],
    ['Signs by', issuer.algorithms.join(', ')],
    ['Its sub is', issuer.subject === 'account' ? 'an account’s id' : issuer.subject],
    ['Clients', issuer.clientIds],
    ['Scopes', issuer.scopes.join(' ')],
    ['Assertions', `live ${issuer.maxLifetimeSeconds} s at most`],
    ['Since', stamp(issuer.createdAt)],
  ]
}
