/** Help that teaches: every command shows how it is used, and the top says how commands end. */
import type { Command } from 'commander'

/** Each example is what to type, after `idp`, and what it does. */
export function withExamples(command: Command, examples: [typed: string, does: string][]): Command {
  const lines = examples.map(([typed, does]) => `  # ${does}\n  $ idp ${typed}`)
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

export const overview = `
Examples:
  # First look at everything; each mistake comes with how to mend it
  $ idp doctor

  # The first admin; the password never stands on the command line
  $ idp users create ada --email ada@example.org --verified --role admin --password-stdin < file

  # An app that everybody knows: name it, say where it is, paste what comes back
  $ idp clients create Cloud --preset cloudreve-pro --app-url https://cloud.example.org

  # Any other app; idp clients presets says what kinds there are
  $ idp clients create Notes --preset generic --redirect-uri https://notes.example.org/callback

  # Does it work? Walks a sign-in and says what would fail
  $ idp clients test Cloud

  # People from elsewhere come with their old passwords
  $ idp users import people.jsonl --dry-run

  # For programs: data on stdout, words on stderr
  $ idp clients list --json | jq -r '.clients[].client_id'

Exit codes:
  0 done, or nothing to do    3 not found          6 database or issuer unreachable
  1 failed                    4 conflict
  2 wrong use or settings     5 refused by a rule   10 plan: something would change

Settings come from the environment, the same as the server's: DATABASE_URL or DATA_DIR, and ISSUER.
Commands work whether or not the server runs; it notices changes within two seconds.`
