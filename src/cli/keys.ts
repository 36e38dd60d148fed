/** `idp keys list rotate retire`: what signs tokens. They rotate by themselves; this is for looking, and for a leak. */
import { type Command, Option } from 'commander'
import type { Actor } from '../audit/audit.ts'
import { readSecretKeys } from '../config/commands.ts'
import { createKeyring } from '../crypto.ts'
import type { Keys } from '../oidc/key-acts.ts'
import { keyJson } from '../oidc/key-json.ts'
import { discardKeys, replaceLeaked } from '../oidc/key-leak.ts'
import { type Rotated, retireKey, rotateKeys } from '../oidc/key-rotation.ts'
import { listKeys } from '../oidc/key-times.ts'
import { SecretKeyError, type SigningAlgorithm, signingAlgorithms } from '../oidc/signing-keys.ts'
import { type Connected, type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { believedUntil, mayNotRetire, tooEarly, toTheSecond, untilInWords } from './key-view.ts'
import type { Cell } from './output.ts'
import { didYouMean } from './text.ts'

type RotateFlags = { alg?: SigningAlgorithm; now?: boolean; json?: boolean }
type RetireFlags = { now?: boolean; json?: boolean }

export function addKeys(program: Command, context: Context): void {
  const group = program
    .command('keys')
    .helpCommand(false)
    .summary('what signs tokens')
    .description(
      'The keys that sign tokens. A key is published (next), signs (current), verifies what it signed (previous), and leaves (retired). They rotate by themselves every 90 days.',
    )
  withExamples(
    group
      .command('list')
      .summary('every key, its state and until when')
      .description('Lists every key with its state and how long it lasts. Changes nothing.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: { json?: boolean; quiet?: boolean }) => list(context, flags)),
    [['keys list', 'which key signs, and which will']],
  )
  withExamples(
    group
      .command('rotate')
      .summary('let the next key sign')
      .description(
        'Lets the next key sign and publishes another. No token is rejected: refused, with the time from which it may, while an app can hold a key set without the next key (JWKS_MAX_AGE). Running servers follow within two seconds.',
      )
      .addOption(new Option('--alg <alg>', 'this algorithm alone').choices(signingAlgorithms))
      .option(
        '--now',
        'the current key leaked: replace it at once, and believe nothing that it signed',
      )
      .option('--json', 'print JSON')
      .action((flags: RotateFlags) => rotate(context, flags)),
    [
      ['keys rotate', 'before the schedule would'],
      ['keys rotate --alg RS256 --now', 'the key that signs ID tokens leaked'],
    ],
  )
  withExamples(
    group
      .command('retire <kid>')
      .summary('take a key out of the key set')
      .description(
        'Takes a previous key out of the key set. Refused while a token that it signed may be alive; the schedule does it afterwards by itself.',
      )
      .option(
        '--now',
        'it leaked: remove it at once, whatever its state, and believe nothing that it signed',
      )
      .option('--json', 'print JSON')
      .action((kid: string, flags: RetireFlags) => retire(context, kid, flags)),
    [['keys retire cNXWHrsXYQ4jnEtZ6GqpaRjE6xtd5WWCkxa2mHtOtKs --now', 'a leaked key']],
  )
}

function list(context: Context, flags: { json?: boolean; quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, config, out }) => {
    const keys = await listKeys(db, config.jwksMaxAgeSeconds)
    if (flags.json) return out.json({ keys: keys.map(keyJson) })
    if (flags.quiet) return out.lines(keys.map(({ kid }) => kid))
    if (keys.length === 0) return out.say('There are no keys yet: the server makes them.')
    out.table(
      ['KEY', 'ALG', 'STATE', 'SINCE', 'UNTIL'],
      keys.map((key): Cell[] => [
        key.kid,
        key.alg,
        key.state === 'current' ? { text: key.state, style: 'green' } : key.state,
        toTheSecond(key.since),
        untilInWords(key),
      ]),
    )
  })
}

function rotate(context: Context, flags: RotateFlags): Promise<void> {
  const algs = flags.alg ? [flags.alg] : signingAlgorithms
  return withKeys(context, async ({ out, io, keys }) => {
    const rotated = flags.now
      ? await replaceLeaked(keys, algs, operator(io))
      : await rotateOrRefuse(keys, algs, operator(io))
    if (flags.json) out.json({ rotated })
    else {
      out.table(
        ['ALG', 'SIGNS NOW', flags.now ? 'REMOVED' : 'SIGNED BEFORE'],
        rotated.map(({ alg, kid, replaced }) => [alg, kid, replaced]),
      )
    }
    out.say(
      flags.now
        ? believedUntil(keys)
        : 'Running servers follow within two seconds. What the keys before signed stays valid.',
    )
  })
}

async function rotateOrRefuse(
  keys: Keys,
  algs: readonly SigningAlgorithm[],
  actor: Actor,
): Promise<Rotated[]> {
  const rotation = await rotateKeys(keys, algs, actor)
  if (!rotation.ok) throw tooEarly(rotation.waiting, keys)
  return rotation.rotated
}

function retire(context: Context, kid: string, flags: RetireFlags): Promise<void> {
  return withKeys(context, async ({ out, io, keys }) => {
    if (flags.now) {
      const [removed] = await discardKeys(keys, [kid], operator(io))
      if (!removed) throw await noSuchKey(keys, kid)
      if (flags.json) out.json({ retired: { ...removed, removed: true } })
      out.say(`Removed ${kid}. ${believedUntil(keys)}`)
      return
    }
    const done = await retireKey(keys, kid, operator(io))
    if (!done.ok && done.reason === 'unknown') throw await noSuchKey(keys, kid)
    if (!done.ok) throw mayNotRetire(done.reason, done.key)
    if (flags.json) out.json({ retired: { kid, alg: done.key.alg, removed: false } })
    out.say(done.already ? `${kid} had left the key set already.` : `${kid} left the key set.`)
  })
}

/** With the server's secret: what another would seal, no server could open. */
function withKeys(
  context: Context,
  work: (connected: Connected & { keys: Keys }) => Promise<void>,
): Promise<void> {
  const keyring = createKeyring(readSecretKeys(context.io.env))
  return withDatabase(context, async (connected) => {
    const { db, config } = connected
    const keys = { db, keyring, jwksMaxAgeSeconds: config.jwksMaxAgeSeconds }
    try {
      await work({ ...connected, keys })
    } catch (error) {
      if (!(error instanceof SecretKeyError)) throw error
      throw new CliError(exitCodes.usage, error.message, ['Nothing was changed.'], { cause: error })
    }
  })
}

async function noSuchKey({ db, jwksMaxAgeSeconds }: Keys, kid: string): Promise<CliError> {
  const kids = (await listKeys(db, jwksMaxAgeSeconds)).map((key) => key.kid)
  const near = didYouMean(kid, kids)
  return new CliError(exitCodes.notFound, `There is no key ${kid}.`, [
    near ? `Did you mean ${near}?` : 'See: idp keys list',
  ])
}
