/** `idp apis update delete`. Whoever loses something by it is named before it happens, and a yes is asked for. */
import type { Command } from 'commander'
import { apiJson } from '../clients/api-json.ts'
import type { Api } from '../clients/apis.ts'
import {
  type ApiChange,
  changedScopes,
  deleteApi,
  type Loss,
  listLosses,
  updateApi,
} from '../clients/change-api.ts'
import { splitScope } from '../clients/scopes.ts'
import type { Db } from '../database/connection.ts'
import { type ApiFlags, addApiOptions, readApiFlags, showApi } from './api-view.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, refusal } from './errors.ts'
import { withExamples } from './help.ts'
import { collect, confirm } from './input.ts'
import { noteOwned } from './note-owned.ts'
import type { Output } from './output.ts'

type Resolve = (db: Db, identifier: string) => Promise<Api>
type UpdateFlags = ApiFlags & {
  addScope?: string
  removeScope?: string
  removeAuthorizationType?: string[]
  yes?: boolean
}

export function addApiChanges(apis: Command, context: Context, resolve: Resolve): void {
  const command = apis
    .command('update <identifier>')
    .summary('change what it offers and how its tokens are')
    .description(
      [
        'Changes an API; what is not named stays. Apps that may use all of it gain new scopes, others keep theirs.',
        'A scope that is taken away is taken from apps, consents and opaque tokens too; then it asks first.',
        'Schemas are JSON Schema 2020-12 without $id, format and patternProperties; $ref leads to #/$defs alone, a',
        'pattern has a maxLength beside it. Title and description of each member are what people read.',
      ].join(' '),
    )
    .option('--scope <scopes>', 'these in place of all scopes, separated by spaces')
    .option('--add-scope <scopes>', 'these besides')
    .option('--remove-scope <scopes>', 'these no more')
  withExamples(
    addApiOptions(command)
      .option(
        '--remove-authorization-type <name>',
        'not in detail any more; may be repeated',
        collect,
      )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((identifier: string, flags: UpdateFlags) =>
        update(context, identifier, flags, resolve),
      ),
    [
      ['apis update https://api.example.org --add-scope files:share', 'one scope more'],
      ['apis update https://api.example.org --token-format opaque', 'tokens that can be ended'],
      [
        'apis update https://bank.example.org --authorization-type payment --schema payment.json',
        'what a payment has to say',
      ],
    ],
  )
  withExamples(
    apis
      .command('delete <identifier>')
      .summary('remove it for good')
      .description(
        'Removes an API; no app gets tokens for it any more. JWTs that are out live to their end, opaque tokens end. Asks first.',
      )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((identifier: string, flags: { yes?: boolean; json?: boolean }) =>
        remove(context, identifier, flags, resolve),
      ),
    [['apis delete https://api.example.org --yes', 'from a script']],
  )
}

async function update(
  context: Context,
  identifier: string,
  flags: UpdateFlags,
  resolve: Resolve,
): Promise<void> {
  const change: ApiChange = {
    ...(await readApiFlags(context.io, flags)),
    scopes: flags.scope === undefined ? undefined : splitScope(flags.scope),
    addScopes: splitScope(flags.addScope ?? ''),
    removeScopes: splitScope(flags.removeScope ?? ''),
    removeTypes: flags.removeAuthorizationType,
  }
  await withDatabase(context, async ({ db, out, io }) => {
    const before = await resolve(db, identifier)
    const kept = changedScopes(before, change)
    const removed = before.scopes.filter((scope) => !kept.includes(scope))
    const losses = await listLosses(db, identifier, removed)
    tellLosses(out, losses)
    const question = `Change ${identifier}, which takes something from ${losses.length} apps?`
    if (losses.length > 0 && !flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was changed.')
    }
    const result = await updateApi(db, identifier, change, { actor: operator(io) })
    if (!result) throw new CliError(exitCodes.notFound, `There is no API ${identifier} any more.`)
    if (!result.ok) {
      throw refusal('The change was refused; nothing was stored.', result.problems)
    }
    if (flags.json) {
      out.json({ changed: result.changed.map(inJson), api: apiJson(result.api) })
    } else showApi(out, result.api)
    out.say(result.changed.length > 0 ? `Changed ${identifier}.` : 'There was nothing to change.')
    if (result.changed.length > 0) await noteOwned(out, db, 'api', identifier)
  })
}

function remove(
  context: Context,
  identifier: string,
  flags: { yes?: boolean; json?: boolean },
  resolve: Resolve,
): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { builtIn } = await resolve(db, identifier)
    if (builtIn) {
      throw new CliError(exitCodes.refused, 'That is our own API, which stays.')
    }
    const losses = await listLosses(db, identifier, 'whole')
    tellLosses(out, losses)
    const question = `Delete ${identifier}, which ${losses.length} apps may call?`
    if (!flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    const done = await deleteApi(db, identifier, { actor: operator(io) })
    if (flags.json) {
      const lost = (done?.losses ?? []).map(({ clientId, scopes }) => ({
        client_id: clientId,
        scopes,
      }))
      out.json({ deleted: identifier, losses: lost })
    }
    out.say(`Deleted ${identifier}. Its last JWTs end by themselves.`)
  })
}

function tellLosses(out: Output, losses: Loss[]): void {
  for (const { client, clientId, scopes, whole } of losses) {
    const what = scopes.length > 0 ? scopes.join(' ') : 'its tokens for it'
    out.say(
      `${client} (${clientId}) loses ${what}${whole ? ', and may not call it any more' : ''}.`,
    )
  }
}

/** As the members of the JSON are named. */
function inJson(name: string): string {
  if (name === 'tokenLifetimeSeconds') return 'access_token_lifetime'
  if (name === 'authorizationTypes') return 'authorization_types'
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
