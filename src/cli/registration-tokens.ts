/** `idp registration-tokens create list revoke`: who may register an app without an admin. */
import type { Command } from 'commander'
import {
  createRegistrationToken,
  defaultRegistrationPolicy,
  findRegistrationToken,
  listRegistrationTokens,
  revokeRegistrationToken,
} from '../clients/registration-tokens.ts'
import { splitScope } from '../clients/scopes.ts'
import { stamp } from './client-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, parseDuration } from './input.ts'
import type { Cell } from './output.ts'
import {
  registrationTokenFields,
  registrationTokenJson,
  stateOf,
  usesOf,
} from './registration-token-view.ts'
import { didYouMean } from './text.ts'

type CreateFlags = {
  uses: string
  expires: string
  scope?: string
  api?: string[]
  grantType?: string[]
  redirectHost?: string[]
  json?: boolean
}

export function addRegistrationTokens(program: Command, context: Context): void {
  const { scopes, grantTypes } = defaultRegistrationPolicy
  const group = program
    .command('registration-tokens')
    .helpCommand(false)
    .summary('who may register an app without an admin')
    .description(
      'Initial access tokens: whoever has one registers apps at /oauth2/register (RFC 7591), within what the token allows. Without one nobody does.',
    )
  withExamples(
    group
      .command('create <name>')
      .summary('let somebody register apps')
      .description('Makes a token and prints it once; only its hash is kept.')
      .option('--uses <number>', 'how many apps it registers, or unlimited', '1')
      .option('--expires <time>', 'how long it lasts, or never', '7d')
      .option('--scope <scopes>', `what such apps may ask for; not given: ${scopes.join(' ')}`)
      .option(
        '--api <identifier>',
        'the API that a scope belongs to, or all of one; may be repeated',
        collect,
      )
      .option(
        '--grant-type <type>',
        `what they may use; may be repeated; not given: ${grantTypes.join(' ')}`,
        collect,
      )
      .option(
        '--redirect-host <host>',
        'the only hosts that people are sent back to; may be repeated; not given: any',
        collect,
      )
      .option('--json', 'print JSON')
      .action((name: string, flags: CreateFlags) => create(context, name, flags)),
    [
      ['registration-tokens create Ada', 'one app, within seven days'],
      [
        'registration-tokens create Agents --uses 100 --expires 90d --scope "openid notes:read" --redirect-host localhost --redirect-host 127.0.0.1',
        'a hundred agents that run on people’s own machines',
      ],
    ],
  )
  withExamples(
    group
      .command('list')
      .summary('every token, never its value')
      .description(
        'Lists the tokens, the newest first, with what they allow and how many apps came.',
      )
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean; quiet?: boolean }) => list(context, flags)),
    [['registration-tokens list', 'which still let somebody in']],
  )
  withExamples(
    group
      .command('revoke <token>')
      .summary('nobody registers with it any more')
      .description(
        'Ends a token, by name or id. Apps that it registered stay: see `idp clients list`, and delete those you do not want.',
      )
      .option('--json', 'print JSON')
      .action((token: string, flags: { json?: boolean }) => revoke(context, token, flags)),
    [['registration-tokens revoke Agents', 'at once, in every process']],
  )
}

async function create(context: Context, name: string, flags: CreateFlags): Promise<void> {
  const uses = flags.uses === 'unlimited' ? null : wholeNumber(flags.uses)
  const lifetimeSeconds = flags.expires === 'never' ? null : parseDuration(flags.expires)
  if (uses === undefined) {
    throw new CliError(exitCodes.usage, `--uses cannot be “${flags.uses}”.`, [
      'Give a number, or unlimited.',
    ])
  }
  if (lifetimeSeconds === undefined) {
    throw new CliError(exitCodes.usage, `--expires cannot be “${flags.expires}”.`, [
      'Give a time such as 12h or 30d, or never.',
    ])
  }
  await withDatabase(context, async ({ db, out, io, config: { issuer } }) => {
    const done = await createRegistrationToken(
      db,
      {
        name: name.normalize('NFC'),
        uses,
        lifetimeSeconds,
        scopes:
          flags.scope === undefined ? defaultRegistrationPolicy.scopes : splitScope(flags.scope),
        apis: flags.api ?? [],
        grantTypes: flags.grantType ?? defaultRegistrationPolicy.grantTypes,
        redirectHosts: flags.redirectHost ?? [],
      },
      { actor: operator(io) },
    )
    if (!done.ok && done.reason === 'invalid') {
      throw refusal('The token was refused; nothing was stored.', done.problems)
    }
    if (!done.ok) {
      throw new CliError(exitCodes.conflict, `There is a token named “${name}” already.`, [
        `Choose another name, or end that one: idp registration-tokens revoke ${name}`,
      ])
    }
    const { token, registrationToken } = done
    const endpoint = `${issuer}/oauth2/register`
    if (flags.json) {
      return out.json({
        registration_token: { ...registrationTokenJson(registrationToken), token },
        registration_endpoint: endpoint,
      })
    }
    out.fields([
      ['Token', token],
      ['Endpoint', endpoint],
      ...registrationTokenFields(registrationToken),
    ])
    out.say('This is the only time that the token is shown.')
  })
}

function list(context: Context, flags: { json?: boolean; quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out }) => {
    const all = await listRegistrationTokens(db)
    if (flags.json) return out.json({ registration_tokens: all.map(registrationTokenJson) })
    if (flags.quiet) return out.lines(all.map(({ id }) => id))
    if (all.length === 0) {
      return out.say('Nobody may register apps. The first: idp registration-tokens create --help')
    }
    out.table(
      ['NAME', 'ID', 'STATE', 'USES LEFT', 'ENDS', 'APPS', 'SCOPES', 'GRANT TYPES', 'HOSTS'],
      all.map((token): Cell[] => [
        token.name,
        token.id,
        token.live ? { text: 'open', style: 'green' } : { text: stateOf(token), style: 'red' },
        usesOf(token),
        token.expiresAt ? stamp(token.expiresAt) : 'never',
        String(token.clients),
        token.scopes.join(' '),
        token.grantTypes.join(' '),
        token.redirectHosts.join(' ') || 'any',
      ]),
    )
  })
}

function revoke(context: Context, nameOrId: string, flags: { json?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const token = await findRegistrationToken(db, nameOrId)
    if (!token) {
      const known = (await listRegistrationTokens(db)).flatMap(({ id, name }) => [name, id])
      const near = didYouMean(nameOrId, known)
      throw new CliError(exitCodes.notFound, `There is no registration token “${nameOrId}”.`, [
        near ? `Did you mean ${near}?` : 'See: idp registration-tokens list',
      ])
    }
    const revoked = await revokeRegistrationToken(db, token.id, { actor: operator(io) })
    if (flags.json) out.json({ revoked, id: token.id, clients: token.clients })
    out.say(
      revoked
        ? `Revoked ${token.name}. Apps that it registered and that stay: ${token.clients}.`
        : `${token.name} was revoked already.`,
    )
  })
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
