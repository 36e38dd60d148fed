/**
 * The flags of `clients create` and `update` that say how an app speaks the protocol: how it proves itself, how it asks
 * and is answered, what its tokens are like. Plain apps need none of them.
 */

import { type Command, Option } from 'commander'
import { type ClaimNames, nameableClaims } from '../clients/claim-names.ts'
import { type Level, levels } from '../clients/levels.ts'
import { type PolicyChange, type Profile, profiles } from '../clients/policy.ts'
import type { ProtocolSettings } from '../clients/protocol-settings.ts'
import { deliveryModes } from '../clients/rules/backchannel.ts'
import { responseModes } from '../clients/rules/requests.ts'
import { ourAlgorithms, theirAlgorithms } from '../clients/rules/signatures.ts'
import {
  type SecondFactor,
  type SecondFactorTime,
  secondFactorTimes,
} from '../clients/second-factor.ts'
import { CliError, exitCodes } from './errors.ts'
import { collect, parseDuration, readText } from './input.ts'
import type { Io } from './io.ts'
import { readFactors } from './settings.ts'

export type ProtocolFlags = {
  profile?: Profile | false
  authAlg?: string
  tlsSubjectDn?: string
  tlsSanDns?: string
  tlsSanUri?: string
  tlsSanIp?: string
  tlsSanEmail?: string
  tlsCaFile?: string
  initiateLoginUri?: string | false
  requirePar?: boolean
  requestObjects?: 'required' | 'optional'
  requestObjectAlg?: string
  responseMode?: string[] | false
  authorizationType?: string[] | false
  authorizationAlg?: string
  idTokenAlg?: string
  userinfoAlg?: string
  introspectionAlg?: string
  defaultAcr?: string[] | false
  userinfoAcr?: Level | 'any'
  userinfoMaxAge?: string
  authorizationChallenge?: boolean
  secondFactor?: SecondFactorTime | 'default'
  secondFactors?: string
  claimName?: string[] | false
  dpop?: 'required' | 'optional'
  certificateBound?: boolean
  accessTokenLifetime?: string
  refreshIdle?: string
  refreshTotal?: string
  refreshRotation?: 'on' | 'off'
  subject?: 'public' | 'pairwise'
  sectorIdentifierUri?: string | false
  backchannelDelivery?: 'poll' | 'ping'
  backchannelNotificationEndpoint?: string | false
  backchannelRequestAlg?: string
}

export function addProtocolOptions(command: Command): Command {
  const choice = (flags: string, about: string, of: readonly string[]) =>
    new Option(flags, about).choices(of)
  return command
    .optionsGroup('As a whole:')
    .addOption(
      choice(
        '--profile <name>',
        'rules that hold together: FAPI 2.0, or with signed messages',
        profiles,
      ),
    )
    .optionsGroup('How it proves who it is:')
    .addOption(
      choice('--auth-alg <alg>', 'signature of its assertions (private_key_jwt)', [
        'any',
        ...theirAlgorithms,
      ]),
    )
    .option('--tls-subject-dn <dn>', 'subject of its certificate, such as CN=app,O=Example')
    .option('--tls-san-dns <name>', 'or a host name that stands in its certificate')
    .option('--tls-san-uri <uri>', 'or a URI')
    .option('--tls-san-ip <address>', 'or an address')
    .option('--tls-san-email <address>', 'or an email address')
    .option('--tls-ca-file <file>', 'PEM: who issues its certificates (tls_client_auth)')
    .optionsGroup('How it asks and is answered:')
    .option(
      '--initiate-login-uri <uri>',
      'https address where it begins a sign-in that others ask it for',
    )
    .option('--require-par', 'it pushes its requests (PAR); no others are taken')
    .addOption(
      choice('--request-objects <mode>', 'whether its requests are signed (JAR)', [
        'required',
        'optional',
      ]),
    )
    .addOption(
      choice('--request-object-alg <alg>', 'signature of its requests', [
        'any',
        ...theirAlgorithms,
      ]),
    )
    .option(
      '--authorization-type <name>',
      'what of its APIs it may ask for in detail; everything when not given; may be repeated',
      collect,
    )
    .option(
      '--response-mode <mode>',
      `how it may be answered: ${responseModes.join(', ')}; may be repeated`,
      collect,
    )
    .addOption(
      choice(
        '--authorization-alg <alg>',
        'signature of answers by response mode jwt (JARM)',
        ourAlgorithms,
      ),
    )
    .optionsGroup('How people sign in to it:')
    .option(
      '--default-acr <level>',
      `how strongly, where it does not say: ${levels.join(', ')}; may be repeated, best first`,
      collect,
    )
    .addOption(
      choice('--userinfo-acr <level>', 'how strongly, for userinfo to answer it', [
        'any',
        ...levels,
      ]),
    )
    .option('--userinfo-max-age <time>', 'how recently, for userinfo to answer it: 1h, or default')
    .addOption(
      choice('--second-factor <when>', 'when a second factor is asked for; default as everywhere', [
        'default',
        ...secondFactorTimes,
      ]),
    )
    .option('--second-factors <list>', 'which count, such as totp,passkey; or default')
    .option('--authorization-challenge', 'asks for passwords itself; first-party apps alone')
    .optionsGroup('Its tokens and what it learns:')
    .option(
      '--claim-name <claim=name>',
      `how it calls one of ${nameableClaims.join(', ')}; may be repeated`,
      collect,
    )
    .addOption(choice('--id-token-alg <alg>', 'signature of its ID tokens', ourAlgorithms))
    .addOption(
      choice('--userinfo-alg <alg>', 'userinfo as a signed JWT, or none for JSON', [
        'none',
        ...ourAlgorithms,
      ]),
    )
    .addOption(
      choice(
        '--introspection-alg <alg>',
        'signature of introspection when asked for as JWT',
        ourAlgorithms,
      ),
    )
    .addOption(
      choice('--dpop <mode>', 'whether its tokens are bound to a key of its own', [
        'required',
        'optional',
      ]),
    )
    .option('--certificate-bound', 'its tokens are bound to its certificate')
    .option('--access-token-lifetime <time>', 'such as 10m, or default')
    .option('--refresh-idle <time>', 'how long a refresh token lives unused: 30d, or default')
    .option('--refresh-total <time>', 'how long its whole family lives: 365d, or default')
    .addOption(
      choice('--refresh-rotation <mode>', 'a new refresh token at each use', ['on', 'off']),
    )
    .addOption(
      choice('--subject <type>', 'people called as everywhere, or by a name for this app alone', [
        'public',
        'pairwise',
      ]),
    )
    .option(
      '--sector-identifier-uri <uri>',
      'https address that lists all its redirect URIs (pairwise)',
    )
    .optionsGroup('Asking people on their own device (CIBA):')
    .addOption(
      choice('--backchannel-delivery <mode>', 'whether it asks for tokens or is told', [
        ...deliveryModes,
      ]),
    )
    .option('--backchannel-notification-endpoint <uri>', 'where it is told (ping)')
    .addOption(
      choice('--backchannel-request-alg <alg>', 'its requests are signed so, no others', [
        'any',
        ...theirAlgorithms,
      ]),
    )
    .optionsGroup('Options:')
}

/** What is not given stays out. Throws a usage error for a time that is none. */
export async function readProtocolFlags(
  io: Io,
  flags: ProtocolFlags,
): Promise<ProtocolSettings & PolicyChange> {
  const { tlsCaFile } = flags
  return {
    profile: flags.profile === false ? null : flags.profile,
    authAlg: unless(flags.authAlg, 'any'),
    tlsSubjectDn: flags.tlsSubjectDn,
    tlsSanDns: flags.tlsSanDns,
    tlsSanUri: flags.tlsSanUri,
    tlsSanIp: flags.tlsSanIp,
    tlsSanEmail: flags.tlsSanEmail,
    certificateAuthorities: tlsCaFile === undefined ? undefined : await readText(io, tlsCaFile),
    initiateLoginUri: flags.initiateLoginUri === false ? null : flags.initiateLoginUri,
    requirePar: flags.requirePar,
    requireRequestObject: isOn(flags.requestObjects, 'required'),
    requestObjectAlg: unless(flags.requestObjectAlg, 'any'),
    responseModes: flags.responseMode === false ? null : flags.responseMode,
    authorizationTypes: flags.authorizationType === false ? null : flags.authorizationType,
    authorizationAlg: flags.authorizationAlg,
    idTokenAlg: flags.idTokenAlg,
    userinfoAlg: unless(flags.userinfoAlg, 'none'),
    introspectionAlg: flags.introspectionAlg,
    defaultAcrValues: flags.defaultAcr === false ? null : flags.defaultAcr,
    userinfoAcr: unless(flags.userinfoAcr, 'any'),
    userinfoMaxAgeSeconds: readTime('--userinfo-max-age', flags.userinfoMaxAge),
    authorizationChallenge: flags.authorizationChallenge,
    secondFactor: unless(flags.secondFactor, 'default'),
    secondFactors: readSecondFactors(flags.secondFactors),
    claimNames: flags.claimName === false ? null : readClaimNames(flags.claimName),
    dpopBound: isOn(flags.dpop, 'required'),
    certificateBound: flags.certificateBound,
    accessTokenSeconds: readTime('--access-token-lifetime', flags.accessTokenLifetime),
    refreshIdleSeconds: readTime('--refresh-idle', flags.refreshIdle),
    refreshTotalSeconds: readTime('--refresh-total', flags.refreshTotal),
    refreshRotation: isOn(flags.refreshRotation, 'on'),
    subjectType: unless(flags.subject, 'public'),
    sectorIdentifierUri: flags.sectorIdentifierUri === false ? null : flags.sectorIdentifierUri,
    backchannelDelivery: flags.backchannelDelivery,
    backchannelNotificationEndpoint:
      flags.backchannelNotificationEndpoint === false
        ? null
        : flags.backchannelNotificationEndpoint,
    backchannelRequestAlg: unless(flags.backchannelRequestAlg, 'any'),
  }
}

/** `roles=realm_roles`; whether it may be called so is the client's rule. */
function readClaimNames(given: string[] | undefined): ClaimNames | undefined {
  return (
    given &&
    Object.fromEntries(
      given.map((text) => {
        const [claim = '', name = ''] = text.split(/=(.*)/s)
        return [claim, name]
      }),
    )
  )
}

function readSecondFactors(list: string | undefined): SecondFactor[] | null | undefined {
  if (list === undefined || list === 'default') return list === undefined ? undefined : null
  return readFactors(list)
}

function isOn(mode: string | undefined, on: string): boolean | undefined {
  return mode === undefined ? undefined : mode === on
}

function unless<T extends string, None extends T>(
  value: T | undefined,
  none: None,
): Exclude<T, None> | null | undefined {
  return value === none ? null : (value as Exclude<T, None> | undefined)
}

/** Seconds; null restores what holds for all. */
function readTime(flag: string, text: string | undefined): number | null | undefined {
  if (text === undefined || text === 'default') return text === undefined ? undefined : null
  const seconds = parseDuration(text)
  if (seconds !== undefined) return seconds
  throw new CliError(exitCodes.usage, `${flag} cannot be “${text}”.`, [
    'Give a time such as 30s, 10m, 12h or 7d, or default.',
  ])
}
