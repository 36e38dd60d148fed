/** How an API looks to people, and the flags that creating and updating one share. */
import { type Command, Option } from 'commander'
import {
  type Api,
  defaultTokenLifetimeSeconds,
  type TokenAlg,
  type TokenFormat,
  tokenAlgs,
  tokenFormats,
} from '../clients/apis.ts'
import type { AuthorizationType } from '../clients/authorization-types.ts'
import { stamp } from './client-view.ts'
import { CliError, exitCodes } from './errors.ts'
import { parseDuration, readText } from './input.ts'
import type { Io } from './io.ts'
import type { Output } from './output.ts'

export type ApiFlags = {
  name?: string
  scope?: string
  tokenFormat?: TokenFormat
  accessTokenLifetime?: string
  tokenAlg?: TokenAlg
  authorizationType?: string
  schema?: string
  json?: boolean
}

export function addApiOptions(command: Command): Command {
  return command
    .option('--name <name>', 'what people know it by')
    .addOption(
      new Option(
        '--token-format <format>',
        'jwt: it verifies tokens by itself; opaque: it asks us about each (introspection)',
      ).choices(tokenFormats),
    )
    .option(
      '--access-token-lifetime <time>',
      `how long its tokens live, such as 10m; 24h at most (usual: ${defaultTokenLifetimeSeconds}s)`,
    )
    .addOption(
      new Option('--token-alg <alg>', 'what signs its JWTs (usual: ES256)').choices(tokenAlgs),
    )
    .option(
      '--authorization-type <name>',
      'apps may ask for this in detail (authorization_details); needs --schema',
    )
    .option('--schema <file>', 'JSON Schema of such a detail; - is standard input')
}

/** What create and update are given alike. Throws usage errors. */
export async function readApiFlags(io: Io, flags: ApiFlags) {
  const { accessTokenLifetime: lifetime } = flags
  const tokenLifetimeSeconds = lifetime === undefined ? undefined : parseDuration(lifetime)
  if (lifetime !== undefined && tokenLifetimeSeconds === undefined) {
    throw new CliError(exitCodes.usage, `--access-token-lifetime cannot be “${lifetime}”.`, [
      'Give a time such as 10m or 1h.',
    ])
  }
  return {
    name: flags.name?.normalize('NFC'),
    tokenFormat: flags.tokenFormat,
    tokenAlg: flags.tokenAlg,
    tokenLifetimeSeconds,
    authorizationType: await readType(io, flags),
  }
}

async function readType(
  io: Io,
  { authorizationType: name, schema: file }: ApiFlags,
): Promise<AuthorizationType | undefined> {
  if (name === undefined && file === undefined) return undefined
  if (name === undefined || file === undefined) {
    throw new CliError(exitCodes.usage, '--authorization-type and --schema belong together.', [
      'For example: --authorization-type payment --schema payment.json',
    ])
  }
  const text = await readText(io, file)
  try {
    return { name, schema: JSON.parse(text) }
  } catch (error) {
    throw new CliError(exitCodes.usage, `The schema is not JSON: ${(error as Error).message}`)
  }
}

export function showApi(out: Output, api: Api, clients?: string[]): void {
  out.fields([
    ['Identifier', api.identifier],
    ['Kind', api.builtIn ? 'our own' : undefined],
    ['Name', api.name],
    ['Scopes', api.scopes],
    ['Asked in detail', api.authorizationTypes.map(({ name }) => name)],
    ['Tokens', api.tokenFormat === 'jwt' ? `JWTs, signed with ${api.tokenAlg}` : 'opaque'],
    ['Tokens live', `${api.tokenLifetimeSeconds} s`],
    ['Called by', clients],
    ['Created', stamp(api.createdAt)],
  ])
}
