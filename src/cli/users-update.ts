/** `idp users update`: what an operator may say about a person: names, language, and what apps ask for by scopes. */
import type { Command } from 'commander'
import { findAccount } from '../accounts/accounts.ts'
import { updateContact } from '../accounts/contact.ts'
import { updateProfile } from '../accounts/profile.ts'
import { transact } from '../database/transact.ts'
import type { FieldError } from '../errors.ts'
import { type Context, operator, withDatabase } from './context.ts'
import { CliError, exitCodes, fieldWithFlag } from './errors.ts'
import { withExamples } from './help.ts'
import { resolveUser } from './user-find.ts'
import { userJson } from './user-view.ts'

type Flags = {
  name?: string
  givenName?: string
  familyName?: string
  locale?: string
  zoneinfo?: string
  formattedAddress?: string
  streetAddress?: string
  locality?: string
  region?: string
  postalCode?: string
  country?: string
  /** False: taken away. */
  address?: boolean
  phone?: string | false
  json?: boolean
}

export function addUsersUpdate(users: Command, context: Context): void {
  withExamples(
    users
      .command('update <user>')
      .summary('set names, language, address or telephone number')
      .description(
        'Sets what apps learn by the scopes profile, address and phone. What is not named stays; an empty text takes a part away.',
      )
      .option('--name <text>', 'the whole name, as others see it')
      .option('--given-name <text>', 'given name')
      .option('--family-name <text>', 'family name')
      .option('--locale <tag>', 'language of pages and mails: en or zh-CN')
      .option('--zoneinfo <zone>', 'time zone, such as Europe/Berlin')
      .option('--street-address <text>', 'street and number; may have several lines')
      .option('--locality <text>', 'city')
      .option('--region <text>', 'state or province')
      .option('--postal-code <text>', 'as it is written there')
      .option('--country <text>', 'the name of the country')
      .option('--formatted-address <text>', 'the whole as it stands on a letter')
      .option('--no-address', 'take the whole address away')
      .option('--phone <number>', 'with + and the country; counts as not verified')
      .option('--no-phone', 'take the number away')
      .option('--json', 'print JSON')
      .action((user: string, flags: Flags) => update(context, user, flags)),
    [
      ['users update ada --name "Ada King" --locale en', 'a new name'],
      ['users update ada --phone "+44 20 7946 0000"', 'a number'],
      ['users update mei --locality 北京 --country 中国 --postal-code 100080', 'an address'],
    ],
  )
}

function update(context: Context, user: string, flags: Flags): Promise<void> {
  const address =
    flags.address === false
      ? null
      : {
          formatted: flags.formattedAddress,
          street_address: flags.streetAddress,
          locality: flags.locality,
          region: flags.region,
          postal_code: flags.postalCode,
          country: flags.country,
        }
  const phoneNumber = flags.phone === false || flags.phone === '' ? null : flags.phone
  return withDatabase(context, async ({ db, out, io }) => {
    const { id, username } = await resolveUser(db, user)
    const by = { actor: operator(io) }
    // All that was named, or none of it.
    const changed = await transact(db, async (trx) => {
      const names = namesIn(flags)
      const named = Object.values(names).some((value) => value !== undefined)
      const done = [
        ...(named ? [await updateProfile(trx, id, names, by)] : []),
        await updateContact(trx, id, { address, phoneNumber }, by),
      ]
      const errors = done.flatMap((one) => (one && !one.ok ? one.errors : []))
      if (errors.length > 0) {
        const said = 'The change was refused; nothing was stored.'
        throw new CliError(exitCodes.refused, said, errors.map(inWords))
      }
      if (done.includes(undefined)) {
        throw new CliError(exitCodes.refused, `${username} is not active; nothing was stored.`, [
          `See: idp users get ${username}`,
        ])
      }
      return done.some((one) => one?.ok && one.changed)
    })
    const account = await findAccount(db, id)
    if (flags.json && account) out.json({ user: await userJson(db, account) })
    out.say(changed ? `Changed ${username}.` : 'There was nothing to change.')
  })
}

function namesIn({ locale, zoneinfo, ...flags }: Flags) {
  return {
    name: flags.name,
    givenName: flags.givenName,
    familyName: flags.familyName,
    locale: locale === '' ? null : locale,
    zoneinfo: zoneinfo === '' ? null : zoneinfo,
  }
}

function inWords({ field, code }: FieldError): string {
  const what: Record<string, string> = {
    locale_unknown: 'is no language of our pages: en or zh-CN.',
    zoneinfo_unknown: 'is no time zone, such as Europe/Berlin.',
    name_required: 'cannot be empty.',
    name_too_long: 'is too long; use 100 characters.',
    name_invalid: 'has characters that cannot be seen.',
    phone_invalid: 'is no number with + and a country (E.164), such as +442079460000.',
    address_too_long: 'is too long; use 200 characters, 500 for the whole.',
    address_invalid: 'has characters that cannot be seen, or lines where there is one.',
  }
  return `${fieldWithFlag(field)} ${what[code] ?? code}`
}
