/** The flags that describe a client, shared by `create` and `update`, and what they mean to clients/. */
import { type Command, Option } from 'commander'
import { authMethods, type ClientMetadata } from '../clients/metadata.ts'
import { backchannelGrant, deviceGrant } from '../clients/rules/grants.ts'
import {
  addProtocolOptions,
  type ProtocolFlags,
  readProtocolFlags,
} from './client-protocol-options.ts'
import { CliError, exitCodes } from './errors.ts'
import { collect, readText } from './input.ts'
import type { Io } from './io.ts'

/** As people type them, and as RFC 7591 has them. */
const grants: Record<string, string> = {
  authorization_code: 'authorization_code',
  refresh_token: 'refresh_token',
  client_credentials: 'client_credentials',
  device_code: deviceGrant,
  ciba: backchannelGrant,
}

export type ClientFlags = ProtocolFlags & {
  appUrl?: string | false
  redirectUri?: string[]
  postLogoutRedirectUri?: string[] | false
  backchannelLogoutUri?: string | false
  frontchannelLogoutUri?: string | false
  scope?: string
  api?: string[] | false
  grantType?: string[]
  authMethod?: string
  pkce?: 'required' | 'optional'
  jwksFile?: string
  jwksUri?: string
  firstParty?: boolean
  json?: boolean
}

export function addClientOptions(command: Command): Command {
  command
    .option('--app-url <url>', 'where the app is; the preset derives its addresses from it')
    .option(
      '--redirect-uri <uri>',
      'where people come back to after signing in; may be repeated',
      collect,
    )
    .option(
      '--post-logout-redirect-uri <uri>',
      'where they may come back to after signing out; may be repeated',
      collect,
    )
    .option('--backchannel-logout-uri <uri>', 'told by us when somebody signs out')
    .option('--frontchannel-logout-uri <uri>', 'for old apps: told by the browser, in a frame')
    .option('--scope <scopes>', 'what the app may ask for, separated by spaces; scopes of APIs too')
    .option('--api <identifier>', 'an API it may call, with every scope; may be repeated', collect)
    .option(
      '--grant-type <type>',
      `how it comes by tokens, in place of the preset's: ${Object.keys(grants).join(', ')}; may be repeated`,
      collect,
    )
    .addOption(new Option('--auth-method <method>', 'how it proves who it is').choices(authMethods))
    .addOption(
      new Option('--pkce <mode>', 'whether PKCE is needed').choices(['required', 'optional']),
    )
    .option('--jwks, --jwks-file <file>', 'its public keys; - is standard input')
    .option('--jwks-uri <url>', 'where its public keys are published')
    .option('--first-party', 'one of our own: nobody is asked for consent')
  return addProtocolOptions(command)
}

/** What `create` and `update` have in common; what is not given stays out. */
export async function readClientFlags(io: Io, flags: ClientFlags) {
  return {
    ...(await readProtocolFlags(io, flags)),
    redirectUris: flags.redirectUri,
    postLogoutRedirectUris:
      flags.postLogoutRedirectUri === false ? [] : flags.postLogoutRedirectUri,
    scope: flags.scope,
    apis: flags.api === false ? [] : flags.api,
    grantTypes: flags.grantType?.map(readGrantType),
    authMethod: flags.authMethod,
    pkce: flags.pkce,
    jwks: flags.jwksFile === undefined ? undefined : await readJwks(io, flags.jwksFile),
    jwksUri: flags.jwksUri,
    firstParty: flags.firstParty,
  }
}

function readGrantType(given: string): string {
  const whole = grants[given] ?? Object.values(grants).find((grant) => grant === given)
  if (whole) return whole
  throw new CliError(exitCodes.usage, `There is no grant type “${given}”.`, [
    `One of: ${Object.keys(grants).join(', ')}.`,
  ])
}

/** Throws a mistake of use for what is no JSON key set. */
export async function readJwks(io: Io, path: string): Promise<ClientMetadata['jwks']> {
  const text = await readText(io, path)
  try {
    const parsed: unknown = JSON.parse(text)
    if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)) {
      // A single key is what most tools write.
      const set = 'kty' in parsed ? { keys: [parsed] } : parsed
      return set as ClientMetadata['jwks']
    }
  } catch {
    // Said below, without the text: it may hold a private key.
  }
  throw new CliError(
    exitCodes.usage,
    `${path === '-' ? 'Standard input' : path} is not a JSON key set.`,
    ['Give {"keys": [public keys]} (RFC 7517).'],
  )
}
