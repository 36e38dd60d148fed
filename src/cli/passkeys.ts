/** `idp passkeys domain keep-domain allow-origin remove-origin`: what it takes to move to another domain. */
import type { Command } from 'commander'
import {
  allowOrigin,
  countByDomain,
  findRelyingParty,
  isDomain,
  isRelatedOrigin,
  keepDomain,
  listRelatedOrigins,
  relyingPartyOf,
  removeOrigin,
} from '../credentials/passkey-domain.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'

type Flags = { json?: boolean }

export function addPasskeys(program: Command, context: Context): void {
  const group = program
    .command('passkeys')
    .helpCommand(false)
    .summary('the domain that passkeys belong to')
    .description(
      'A passkey belongs to a domain for ever. When the issuer moves, the old domain goes on naming the new one at /.well-known/webauthn, and browsers take its passkeys there.',
    )
  withExamples(
    group
      .command('domain')
      .summary('which domain it is, and who else may use it')
      .description('Shows the domain, how many passkeys belong to it, and the related origins.')
      .option('--json', 'print JSON')
      .action((flags: Flags) => show(context, flags)),
    [['passkeys domain', 'before a move']],
  )
  withExamples(
    group
      .command('keep-domain <domain>')
      .summary('passkeys go on belonging to this domain')
      .description(
        'After a move: says at the new issuer which domain the passkeys belong to. The domain of the issuer itself takes it back.',
      )
      .option('--json', 'print JSON')
      .action((domain: string, flags: Flags) => keep(context, domain, flags)),
    [['passkeys keep-domain id.old.example.org', 'the issuer is id.example.org now']],
  )
  withExamples(
    group
      .command('allow-origin <origin>')
      .summary('another origin may use the passkeys of this domain')
      .description(
        'Names an origin at /.well-known/webauthn. Browsers read five sites at the most.',
      )
      .option('--json', 'print JSON')
      .action((origin: string, flags: Flags) => allow(context, origin, flags)),
    [['passkeys allow-origin https://id.example.org', 'at the old domain, before the move']],
  )
  withExamples(
    group
      .command('remove-origin <origin>')
      .summary('it may no longer')
      .description('Takes an origin from /.well-known/webauthn.')
      .option('--json', 'print JSON')
      .action((origin: string, flags: Flags) => remove(context, origin, flags)),
    [['passkeys remove-origin https://id.example.org', 'the move is off']],
  )
}

function show(context: Context, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, config }) => {
    const own = relyingPartyOf(config)
    const party = own && (await findRelyingParty(db, own))
    const [domains, origins] = [await countByDomain(db), await listRelatedOrigins(db)]
    if (flags.json) {
      const counted = domains.map(({ rpId, passkeys }) => ({ domain: rpId, passkeys }))
      return out.json({ domain: party?.id ?? null, domains: counted, origins })
    }
    out.fields([
      ['Domain', party?.id ?? 'none: the issuer is a bare address'],
      ['Passkeys', domains.map(({ rpId, passkeys }) => `${passkeys} of ${rpId}`)],
      ['Related origins', origins],
    ])
  })
}

function keep(context: Context, domain: string, flags: Flags): Promise<void> {
  if (!isDomain(domain) && domain !== 'localhost') {
    throw new CliError(exitCodes.usage, `“${domain}” is no domain.`, [
      'Give the host of the old issuer alone, such as id.example.org.',
    ])
  }
  return withDatabase(context, async ({ db, out, io, config }) => {
    const own = relyingPartyOf(config)
    const changed = await keepDomain(db, domain === own?.id ? undefined : domain, operator(io))
    if (flags.json) return out.json({ changed, domain })
    out.say(changed ? `Passkeys belong to ${domain}.` : `They belonged to ${domain} already.`)
    if (domain !== own?.id) {
      const file = JSON.stringify({ origins: [own?.origin] })
      out.say(`https://${domain}/.well-known/webauthn has to answer: ${file}`)
    }
  })
}

function allow(context: Context, origin: string, flags: Flags): Promise<void> {
  if (!isRelatedOrigin(origin)) {
    throw new CliError(exitCodes.usage, `“${origin}” is no origin.`, [
      'Give it as https://id.example.org, without a path.',
    ])
  }
  return withDatabase(context, async ({ db, out, io }) => {
    const changed = await allowOrigin(db, origin, operator(io))
    if (flags.json) return out.json({ changed, origin })
    out.say(changed ? `${origin} may use the passkeys of this domain.` : `It was allowed already.`)
  })
}

function remove(context: Context, origin: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const changed = await removeOrigin(db, origin, operator(io))
    if (!changed) {
      throw new CliError(exitCodes.notFound, `The origin “${origin}” is not allowed.`, [
        'See: idp passkeys domain',
      ])
    }
    if (flags.json) return out.json({ changed, origin })
    out.say(`${origin} may no longer use them.`)
  })
}
