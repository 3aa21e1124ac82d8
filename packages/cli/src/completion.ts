import type { Command } from "commander"

export const SHELLS = ["bash", "zsh", "fish"] as const
export type Shell = (typeof SHELLS)[number]

/** What may follow one command path. */
interface Candidates {
  /** The words so far, without `lockkeeper`: "" for the root, "keys", "keys create". */
  readonly path: string
  readonly words: readonly string[]
}

/** A completion script for a shell, from the command tree itself, so that it cannot go stale. */
export function completionScript(program: Command, shell: Shell): string {
  const candidates = collect(program, "")
  if (shell === "fish") return fishScript(candidates)
  const bash = bashScript(candidates)
  return shell === "bash" ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`
}

function collect(command: Command, path: string): Candidates[] {
  const options = command.createHelp().visibleOptions(command)
  const globals = command.createHelp().visibleGlobalOptions(command)
  const flags = [...options, ...globals].map((option) => option.long).filter((flag) => flag != null)
  const children = command.commands.filter((child) => child.name() !== "help")
  const words = [...children.map((child) => child.name()), ...new Set(flags)]
  const deeper = children.flatMap((child) => collect(child, `${path} ${child.name()}`.trim()))
  return [{ path, words }, ...deeper]
}

function bashScript(candidates: readonly Candidates[]): string {
  const cases = candidates
    .map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`)
    .join("\n")
  const paths = candidates
    .filter(({ path }) => path !== "")
    .map(({ path }) => `"${path}"`)
    .join("|")
  return `_lockkeeper() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${paths}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _lockkeeper lockkeeper
`
}

function fishScript(candidates: readonly Candidates[]): string {
  const lines = candidates.map(({ path, words }) => {
    const parts = path === "" ? [] : path.split(" ")
    const condition =
      parts.length === 0
        ? "__fish_use_subcommand"
        : parts.map((part) => `__fish_seen_subcommand_from ${part}`).join("; and ")
    return `complete -c lockkeeper -n '${condition}' -a '${words.join(" ")}'`
  })
  return `${lines.join("\n")}\n`
}
