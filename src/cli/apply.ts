/** `idp plan`, `apply` and `export`: the apps, APIs, roles, groups, providers and the brand of this house as one file. */
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { applyFile, type Fault } from '../apply/apply.ts'
import type { AppliedFile } from '../apply/document.ts'
import { exportFile } from '../apply/export.ts'
import { type Mistake, parseFile } from '../apply/parse.ts'
import { referencesIn, wordsOfReference } from '../apply/references.ts'
import { showChanges, summarise, toJson, wordsOf } from './apply-view.ts'
import { type Context, operator } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { readText } from './input.ts'
import type { Io } from './io.ts'
import { withKeys } from './providers-find.ts'

type Flags = { file: string; prune?: boolean; json?: boolean }

export function addApply(program: Command, context: Context): void {
  const plan = program
    .command('plan')
    .summary('what a file would change')
    .description(
      'Says field by field what `idp apply` would change, and changes nothing. Ends with 10 when something would change, else with 0.',
    )
  withExamples(
    withFile(plan).action((flags: Flags) => run(context, flags, true)),
    [
      ['plan -f letuslearn.yaml', 'read it before you apply it'],
      ['plan -f - < letuslearn.yaml', 'from standard input'],
    ],
  )
  const apply = program
    .command('apply')
    .summary('make everything as a file says')
    .description(
      'Makes apps, APIs, roles, groups, providers and branding as a file says: all of it, or nothing where something is wrong. What the file does not name stays.',
    )
  withExamples(
    withFile(apply).action((flags: Flags) => run(context, flags, false)),
    [
      ['apply -f letuslearn.yaml', 'a second time it changes nothing'],
      [
        'apply -f letuslearn.yaml --prune',
        'what an earlier file made and this one leaves out goes',
      ],
      [
        'apply -f letuslearn.yaml --json',
        'with the secrets that were made, which are shown this once',
      ],
    ],
  )
  withExamples(
    program
      .command('export')
      .summary('the file that makes everything as it is')
      .description(
        'Prints the file that `idp apply` would change nothing by. Secrets are in it by reference or not at all.',
      )
      .option('--json', 'print JSON instead of YAML')
      .action((flags: Pick<Flags, 'json'>) => print(context, flags)),
    [['export > letuslearn.yaml', 'from what was made by hand to a file']],
  )
}

function withFile(command: Command): Command {
  return command
    .requiredOption('-f, --file <file>', 'YAML or JSON; - is standard input')
    .option('--prune', 'remove what earlier files made and this one does not name')
    .option('--json', 'print JSON')
}

async function run(context: Context, flags: Flags, plan: boolean): Promise<void> {
  const { io } = context
  const text = await readText(io, flags.file)
  const parsed = parseFile(text)
  if (!parsed.ok) throw malformed(flags.file, parsed.mistakes)
  const secrets = await readSecrets(io, parsed.file, flags.file)
  await withKeys(context, async ({ keyring }, { db, config, out }) => {
    const outcome = await applyFile(db, parsed.file, {
      actor: operator(io),
      engineCheck: context.createEngineCheck(config.issuer, config.allowPrivateTargets),
      keyring,
      issuer: config.issuer,
      secretOf: (reference) => secrets.get(reference),
      prune: flags.prune,
      plan,
    })
    if (!outcome.ok) throw refused(outcome.faults)
    const { changes } = outcome
    if (flags.json) out.json({ applied: !plan, ...toJson(changes, plan) })
    else showChanges(out, changes, plan)
    const summary = summarise(changes)
    if (plan && summary.unchanged < changes.length) {
      throw new CliError(exitCodes.planned, `${wordsOf(summary)}; nothing was changed yet.`, [
        `Make it so: idp apply -f ${flags.file}`,
      ])
    }
  })
}

async function print(context: Context, { json }: Pick<Flags, 'json'>): Promise<void> {
  await withKeys(context, async ({ keyring }, { db, config, out, io }) => {
    const file = await exportFile(db, {
      actor: operator(io),
      engineCheck: context.createEngineCheck(config.issuer, config.allowPrivateTargets),
      keyring,
      issuer: config.issuer,
    })
    if (json) out.json(file)
    else out.raw(stringify(file, { lineWidth: 0 }).trimEnd())
  })
}

/** Files are found from where the file is that names them. */
async function readSecrets(io: Io, file: AppliedFile, path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const missing: string[] = []
  for (const { where, reference } of referencesIn(file)) {
    const { kind, value } = wordsOfReference(reference)
    const base = path === '-' ? '.' : dirname(path)
    const secret =
      kind === 'env'
        ? io.env[value]
        : await readText(io, resolve(base, value)).catch(() => undefined)
    if (secret) found.set(reference, secret.replace(/\r?\n$/, ''))
    else missing.push(`${where}: there is nothing at ${reference}.`)
  }
  if (missing.length === 0) return found
  throw new CliError(exitCodes.usage, 'Secrets are missing; nothing was changed.', missing)
}

function malformed(path: string, mistakes: Mistake[]): CliError {
  const name = path === '-' ? 'Standard input' : path
  return new CliError(
    exitCodes.refused,
    `${name} is no file that can be applied; nothing was changed.`,
    mistakes.map(({ line, where, message }) => {
      const place = [line === undefined ? '' : `line ${line}`, where].filter((one) => one !== '')
      return [...(place.length > 0 ? [place.join(', ')] : []), message].join(': ')
    }),
  )
}

function refused(faults: Fault[]): CliError {
  const lines = faults.flatMap(({ where, problems }) =>
    problems.map(({ field, message, fix }) => {
      const what = field === '' ? message : `${field} ${message}.`
      return `${where}: ${what}${fix === '' ? '' : `\n    ${fix}`}`
    }),
  )
  return new CliError(exitCodes.refused, 'The file was refused; nothing was changed.', lines)
}
