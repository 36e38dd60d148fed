/** `idp providers create list get update delete test`: who signs people in for us. */
import { type Command, Option } from 'commander'
import { presetNames } from '../federation/presets.ts'
import { providerJson } from '../federation/provider-json.ts'
import { countIdentities, deleteProvider, listProviders } from '../federation/providers.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { confirm } from './input.ts'
import { providerFields } from './provider-view.ts'
import { create, type ProviderFlags as Flags, update, withSettings } from './providers-change.ts'
import { findProvider } from './providers-find.ts'
import { addProviderTest } from './providers-test.ts'

type Removal = { yes?: boolean; json?: boolean }

export function addProviders(program: Command, context: Context): void {
  const providers = program
    .command('providers')
    .helpCommand(false)
    .summary('who signs people in for us')
    .description(
      'Upstream sign-in: Google, Apple, Amazon Cognito, Microsoft, another copy of this, or any OpenID Connect issuer. Each gets a button on the sign-in page.',
    )
  withExamples(
    withSettings(
      providers
        .command('create <id>')
        .summary('let somebody sign people in for us')
        .description(
          'Adds a provider and prints the redirect URI to register there. <id> stands in that address and never changes. Running servers follow within two seconds.',
        )
        .addOption(
          new Option('--preset <preset>', 'whose rules hold').choices(presetNames).default('oidc'),
        ),
    )
      .option('--disabled', 'shown to nobody yet')
      .action((id: string, flags: Flags) => create(context, id, flags)),
    [
      [
        'providers create google --preset google --client-id ID --client-secret-file secret.txt',
        'Google, and what to register there',
      ],
      [
        'providers create work --preset idp --issuer https://id.work.example --client-id us --client-secret-file - --trust-email',
        'another copy of this, whose word about addresses counts',
      ],
      [
        'providers create apple --preset apple --client-id com.example.signin --team-id A1B2C3D4E5 --key-id F6G7H8J9K0 --private-key-file AuthKey.p8',
        'Apple, whose secret we make and renew ourselves',
      ],
    ],
  )
  withExamples(
    providers
      .command('list')
      .summary('every provider')
      .description('Lists every provider.')
      .option('-q, --quiet', 'ids alone')
      .option('--json', 'print JSON')
      .action((flags: Flags & { quiet?: boolean }) => list(context, flags)),
    [['providers list', 'who signs people in, and who is switched off']],
  )
  withExamples(
    providers
      .command('get <id>')
      .summary('one provider')
      .description('Shows a provider; never its secret.')
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags) => get(context, id, flags)),
    [['providers get google', 'with the redirect URI to register there']],
  )
  withExamples(
    withSettings(
      providers
        .command('update <id>')
        .summary('change what is named')
        .description(
          'Changes what is named; the rest stays. A new issuer or client id takes the secret anew. Running servers follow within two seconds.',
        ),
    )
      .option('--no-trust-email', 'its word about addresses counts no longer')
      .option('--no-role-map', 'no roles come from there any more')
      .option('--enabled', 'shown to everybody')
      .option('--disabled', 'refused at once, for those who are linked too')
      .action((id: string, flags: Flags) => update(context, id, flags)),
    [
      [
        'providers update google --client-secret-file new-secret.txt',
        'when the secret was changed there',
      ],
      ['providers update work --role-map groups:staff=editor', 'roles follow at each sign-in'],
      ['providers update work --disabled', 'for the hour in which it cannot be trusted'],
    ],
  )
  withExamples(
    providers
      .command('delete <id>')
      .summary('remove it, and every link to it')
      .description(
        'Removes a provider. Whoever had no other way in sets a password by mail. Asks first.',
      )
      .option('--yes', 'do not ask')
      .option('--json', 'print JSON')
      .action((id: string, flags: Removal) => remove(context, id, flags)),
    [['providers delete work --yes', 'from a script']],
  )
  addProviderTest(providers, context)
}

function list(context: Context, flags: Flags & { quiet?: boolean }): Promise<void> {
  return withDatabase(context, async ({ db, out, config }) => {
    const all = await listProviders(db)
    if (flags.json) {
      return out.json({ providers: all.map((provider) => providerJson(provider, config.issuer)) })
    }
    if (flags.quiet) return out.lines(all.map(({ id }) => id))
    if (all.length === 0)
      return out.say('Nobody signs people in for us. The first: idp providers create --help')
    const linked = await Promise.all(all.map(({ id }) => countIdentities(db, id)))
    out.table(
      ['ID', 'NAME', 'PRESET', 'ISSUER', 'LINKED', 'STATE'],
      all.map(({ id, name, preset, issuer, enabled }, index) => [
        id,
        name,
        preset,
        issuer,
        String(linked[index]),
        enabled ? 'enabled' : { text: 'disabled', style: 'yellow' },
      ]),
    )
  })
}

function get(context: Context, id: string, flags: Flags): Promise<void> {
  return withDatabase(context, async ({ db, out, config }) => {
    const provider = await findProvider(db, id)
    if (flags.json) out.json({ provider: providerJson(provider, config.issuer) })
    else out.fields(providerFields(provider, config.issuer))
  })
}

function remove(context: Context, id: string, flags: Removal): Promise<void> {
  return withDatabase(context, async ({ db, out, io }) => {
    const { name } = await findProvider(db, id)
    const linked = await countIdentities(db, id)
    const question = `Delete ${name}? ${linked} ${linked === 1 ? 'person signs' : 'people sign'} in by it.`
    if (!flags.yes && !(await confirm(io, question))) {
      throw new CliError(exitCodes.failed, 'Nothing was deleted.')
    }
    await deleteProvider(db, id, operator(io))
    if (flags.json) out.json({ deleted: id, links: linked })
    out.say(`Deleted, and ${linked} ${linked === 1 ? 'link' : 'links'} with it.`)
  })
}
