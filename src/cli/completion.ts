/** `idp completion bash zsh fish`: words for the Tab key, read from the tree of commands each time, so that none is missing. */
import type { Command } from 'commander'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

/** One place on the way: what may be typed after these words. */
type Place = { path: string; words: { word: string; says: string }[]; wantsClient: boolean }

export function addCompletion(program: Command, context: Context): void {
  withExamples(
    program
      .command('completion <shell>')
      .summary('commands and flags for the Tab key of bash, zsh or fish')
      .description(
        'Prints a script for your shell, which completes commands, flags and the names of apps. Load it where the shell starts, and it knows every command of the release that is installed.',
      )
      .action((shell: string) => complete(program, context, shell)),
    [
      [
        'completion bash > ~/.local/share/bash-completion/completions/idp',
        'bash; or in ~/.bashrc: source <(idp completion bash)',
      ],
      ['completion zsh > ~/.zfunc/_idp', 'zsh, where ~/.zfunc is in fpath before compinit'],
      ['completion fish > ~/.config/fish/completions/idp.fish', 'fish'],
    ],
  )
}

function complete(program: Command, { out }: Context, given: string): void {
  const shell = shells.find((name) => name === given)
  if (!shell) {
    throw new CliError(exitCodes.usage, `“${given}” is no shell that is known here.`, [
      `Give ${shells.join(', ')}.`,
    ])
  }
  out.raw(scriptOf(shell, placesOf(program)))
}

function placesOf(command: Command, path: string[] = []): Place[] {
  const commands = command.commands
    .filter((child) => child.name() !== 'help' || path.length === 0)
    .map((child) => ({ word: child.name(), says: child.summary() || child.description() }))
  const flags = command.options.flatMap(({ long, description }) =>
    long ? [{ word: long, says: description }] : [],
  )
  const [first] = command.registeredArguments
  return [
    {
      path: path.join(' '),
      words: [...commands, ...flags, { word: '--help', says: 'print help' }],
      wantsClient:
        first?.name() === 'client' || command.options.some(({ long }) => long === '--client'),
    },
    ...command.commands.flatMap((child) => placesOf(child, [...path, child.name()])),
  ]
}

function scriptOf(shell: Shell, places: Place[]): string {
  if (shell === 'bash') return bash(places)
  return shell === 'zsh' ? zsh(places) : fish(places)
}

/** Names are asked for where one is wanted; a database that does not answer means none. */
const clientIds = 'idp clients list --quiet 2>/dev/null'

const isClientPlace = (places: Place[]) =>
  places
    .filter(({ wantsClient }) => wantsClient)
    .map(({ path }) => `"${path}"`)
    .join('|')

function cases(places: Place[], line: (place: Place) => string): string {
  return places.map((place) => `    "${place.path}") ${line(place)} ;;`).join('\n')
}

/** The words before the cursor that name commands: flags and their values are passed over. */
function bash(places: Place[]): string {
  return `# idp completion bash
_idp() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" place="" word words="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${place:+$place }$word" in
${places
  .filter(({ path }) => path !== '')
  .map(({ path }) => `      "${path}") place="${path}" ;;`)
  .join('\n')}
    esac
  done
  case "$place" in
${cases(places, ({ words }) => `words="${words.map(({ word }) => word).join(' ')}"`)}
  esac
  case "$place" in
    ${isClientPlace(places)})
      if [[ "$prev" == --client ]]; then words="$(${clientIds})"
      elif [[ "$cur" != -* && "$place" == clients\\ * ]]; then words="$words $(${clientIds})"; fi ;;
  esac
  [[ "$place" == completion ]] && words="${shells.join(' ')} $words"
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default 2>/dev/null
  return 0
}
complete -F _idp idp`
}

function zsh(places: Place[]): string {
  const entry = ({ word, says }: { word: string; says: string }) =>
    `'${word}:${says.replaceAll("'", "'\\''").replaceAll(':', '\\:')}'`
  return `#compdef idp
_idp() {
  local place="" word i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    case "\${place:+$place }$word" in
${places
  .filter(({ path }) => path !== '')
  .map(({ path }) => `      "${path}") place="${path}" ;;`)
  .join('\n')}
    esac
  done
  if [[ "\${words[CURRENT-1]}" == --client ]]; then
    found=(\${(f)"$(${clientIds})"})
    compadd -a found
    return
  fi
  case "$place" in
${cases(places, ({ words }) => `found=(${words.map(entry).join(' ')})`)}
  esac
  _describe -t commands idp found
  [[ "$place" == completion ]] && compadd ${shells.join(' ')}
  _files
}
if [[ "$funcstack[1]" == _idp ]]; then _idp "$@"; else compdef _idp idp; fi`
}

function fish(places: Place[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = places.flatMap(({ path, words }) =>
    words.map(({ word, says }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`
      return `complete -c idp -n ${quote(`__idp_at ${path}`.trim())} ${what} -d ${quote(says)}`
    }),
  )
  return `# idp completion fish
function __idp_at
  set -l words
  for word in (commandline -opc)[2..]
    string match -q -- '-*' $word; or set -a words $word
  end
  set -l known (count $argv)
  test $known -eq 0; and test (count $words) -eq 0; and return 0
  test $known -gt 0; and test "$argv" = "$words[1..$known]" 2>/dev/null
end
${lines.join('\n')}
complete -c idp -n '__idp_at completion' -f -a ${quote(shells.join(' '))}
complete -c idp -l client -x -a ${quote(`(${clientIds})`)}`
}
