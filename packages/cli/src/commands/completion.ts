import { Argument, type Command } from "commander"
import { completionScript, SHELLS, type Shell } from "../completion.ts"

/** `lockkeeper completion SHELL`: needs no settings, so it stands apart from the other commands. */
export function addCompletion(program: Command, write: (script: string) => void): void {
  program
    .command("completion")
    .description("Print a completion script for your shell")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  $ lockkeeper completion bash > ~/.local/share/bash-completion/completions/lockkeeper\n" +
        "  $ lockkeeper completion fish > ~/.config/fish/completions/lockkeeper.fish",
    )
    .action((shell: Shell) => write(completionScript(program, shell)))
}
