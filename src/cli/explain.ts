/** `idp explain REF`: why a request was refused, what differs, and the command that mends it. */
import type { Command } from 'commander'
import type { AddressDifference } from '../clients/address-difference.ts'
import { type Client, findClient } from '../clients/clients.ts'
import type { RefusalDetail } from '../oidc/refusals.ts'
import { type Context, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { documentFixes } from './explain-document.ts'
import { withExamples } from './help.ts'
import { printable, shellWord } from './text.ts'

type Refusal = {
  reference: string
  at: Date
  endpoint: string
  clientId: string | null
  error: string
  detail: RefusalDetail
}

export function addExplain(program: Command, context: Context): void {
  withExamples(
    program
      .command('explain <reference>')
      .summary('why a request was refused')
      .description(
        'Explains a refused request by the short reference that its error page or error_uri shows. Kept seven days.',
      )
      .option('--json', 'print JSON')
      .action((reference: string, flags: { json?: boolean }) => explain(context, reference, flags)),
    [['explain K7QF-2M9X', 'the client, the exact difference, and the fix']],
  )
}

function explain(context: Context, typed: string, flags: { json?: boolean }): Promise<void> {
  const reference = typed
    .replace(/^.*\/errors\//, '')
    .trim()
    .toUpperCase()
  return withDatabase(context, async ({ db, out }) => {
    const row = await db
      .selectFrom('refusals')
      .selectAll()
      .where('reference', '=', reference)
      .executeTakeFirst()
    if (!row) {
      throw new CliError(exitCodes.notFound, `No refused request has the reference ${reference}.`, [
        'References are kept seven days. Look for letters that were mixed up: there is no 0, 1, I or O.',
      ])
    }
    const refusal = { ...row, detail: row.detail as RefusalDetail }
    const client = row.clientId ? await findClient(db, row.clientId) : undefined
    if (flags.json) {
      const { at, clientId, ...rest } = refusal
      return out.json({
        refusal: {
          ...rest,
          at: at.toISOString(),
          client_id: clientId,
          client_name: client?.name ?? null,
        },
      })
    }
    // Much of it is what a stranger sent.
    const described = await documentFixes(db, row.clientId)
    for (const line of sentences(refusal, client, described)) out.raw(printable(line))
  })
}

function sentences(refusal: Refusal, client: Client | undefined, described?: string[]): string[] {
  const { at, endpoint, error, detail, clientId } = refusal
  const who = client ? `${client.name} (${client.id})` : (clientId ?? 'no client was named')
  return [
    `When       ${at.toISOString().replace('T', ' ').slice(0, 19)} UTC`,
    `Where      ${endpoint}`,
    `Client     ${who}`,
    `Error      ${error}`,
    ...(detail.description ? [`Told       ${detail.description}`] : []),
    ...(detail.cause ? [`Because    ${detail.cause}`] : []),
    ...(detail.requestedScope ? [`Scope      ${detail.requestedScope}`] : []),
    ...(detail.requestedAcr ? [`Acr        ${detail.requestedAcr}`] : []),
    ...(detail.grantType ? [`Grant      ${detail.grantType}`] : []),
    ...(detail.requestId ? [`Request    ${detail.requestId} in the log`] : []),
    ...compare('redirect URI', detail.redirectUri),
    ...compare('post-logout redirect URI', detail.postLogoutRedirectUri),
    '',
    ...(described ?? fixes(refusal, client)),
  ]
}

/** The two addresses one below the other, with a mark under the first character that differs. */
function compare(what: string, difference: AddressDifference | undefined): string[] {
  if (!difference) return []
  const { received, nearest, at = 0, part } = difference
  if (nearest === undefined)
    return ['', `The ${what} that came: ${received}`, 'None is registered.']
  return [
    '',
    `The ${what} differs from the nearest registered one: ${words[part]}.`,
    `  registered  ${nearest}`,
    `  received    ${received}`,
    `              ${' '.repeat(at)}^`,
  ]
}

const words: Record<AddressDifference['part'], string> = {
  missing: 'nothing is registered',
  scheme: 'another scheme (http, https)',
  host: 'another host',
  port: 'another port',
  slash: 'a slash at the end',
  case: 'small and capital letters',
  encoding: 'it is written in another way (encoding, spaces, dots)',
  path: 'another path',
  query: 'another query',
  fragment: 'a fragment',
}

function fixes({ error, detail, clientId }: Refusal, client: Client | undefined): string[] {
  if (!client) {
    return clientId
      ? [`No app has the id ${clientId}. See what there is: idp clients list`]
      : ['The request named no client_id: its sender has to add it.']
  }
  if (client.disabledAt)
    return [`The app is switched off. Switch it on: idp clients enable ${client.id}`]
  if (detail.redirectUri) return addressFix(client, '--add-redirect-uri', detail.redirectUri)
  if (detail.postLogoutRedirectUri) {
    return addressFix(client, '--post-logout-redirect-uri', detail.postLogoutRedirectUri)
  }
  if (error === 'invalid_client') {
    return [
      'The app showed a wrong secret, or showed it in a way that it is not registered for.',
      `A new secret: idp clients rotate-secret ${client.id}`,
    ]
  }
  if (error === 'unmet_authentication_requirements') {
    return [
      'The app asks for a sign-in (acr) as essential that nobody can reach here.',
      'What can be reached stands in discovery as acr_values_supported; the app may ask for more with acr_values, which is a wish.',
    ]
  }
  if (detail.grantType?.endsWith(':token-exchange')) {
    return [`What it may exchange: idp exchanges list --client ${client.id}`]
  }
  if (detail.grantType?.endsWith(':jwt-bearer')) {
    return ['Whose assertions are taken, and for whom: idp issuers list']
  }
  if (error === 'invalid_scope') {
    return [
      `What it may ask for: idp clients get ${client.id}; more: idp clients update ${client.id} --scope "…"`,
    ]
  }
  if (error === 'invalid_target') {
    return [
      `Its APIs: idp clients get ${client.id}; another: idp clients update ${client.id} --api IDENTIFIER`,
    ]
  }
  if (detail.description?.includes('code_challenge')) {
    return [`If the app cannot send PKCE: idp clients update ${client.id} --pkce optional`]
  }
  return [`Ask whoever runs ${client.name}, or walk its sign-in: idp clients test ${client.id}`]
}

function addressFix(client: Client, flag: string, { received, part }: AddressDifference): string[] {
  const asked = 'Correct the address in the app’s own settings'
  if (part === 'fragment' || received.includes('…'))
    return [`${asked}; this one cannot be registered as it came.`]
  return [
    `${asked}, or register it if it is really the app’s:`,
    `  idp clients update ${client.id} ${flag} ${shellWord(received)}`,
  ]
}
