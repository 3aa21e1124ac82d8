import { Argument, type Command, Option } from "commander"
import type { SpawnAgent } from "./agent/spawn.ts"
import { EXIT, type ExitCode } from "./exit-codes.ts"
import type { Keeper, KeeperAddress } from "./owner.ts"
import { type GlobalOptions, resolveSettings, type Settings } from "./settings.ts"
import type { Terminal } from "./terminal.ts"

/** What the command reaches outside itself; tests bring their own. */
export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly terminal: Terminal
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  connect(address: KeeperAddress, tell?: (note: string) => void): Promise<Keeper>
  readonly spawnAgent: SpawnAgent
}

export interface Context extends Host {
  readonly settings: Settings
}

/** What a command reports: text for people, the same as JSON for programs. */
export interface Report {
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
  readonly exitCode?: ExitCode
}

/** A command as its file describes it. */
export interface CommandDefinition<Options> {
  /** Name and arguments as commander reads them: `show <key>`. */
  readonly usage: string
  readonly summary: string
  readonly arguments?: readonly (readonly [syntax: string, meaning: string])[]
  readonly options?: readonly Option[]
  readonly examples: readonly string[]
  run(context: Context, options: Options, args: readonly string[]): Promise<Report>
}

/** Adds one command to the tree. `host` reports through `finish`, once. */
export function define<Options extends object>(
  parent: Command,
  host: Host,
  finish: (report: Report, settings: Settings) => void,
  definition: CommandDefinition<Options>,
): void {
  const command = parent.command(definition.usage).description(definition.summary)
  for (const [syntax, meaning] of definition.arguments ?? []) {
    command.addArgument(new Argument(syntax, meaning))
  }
  for (const option of definition.options ?? []) command.addOption(option)
  const examples = definition.examples.map((example) => `  $ ${example}`).join("\n")
  command.addHelpText("after", `\nExamples:\n${examples}`)
  command.action(async (...all: unknown[]) => {
    const self = all.at(-1) as Command
    const settings = resolveSettings(self.optsWithGlobals<GlobalOptions>(), host.environment)
    const report = await definition.run({ ...host, settings }, self.opts<Options>(), self.args)
    finish(report, settings)
  })
}

/** Adds commands under one parent. */
export type AddCommands = (
  add: <Options extends object>(definition: CommandDefinition<Options>) => void,
) => void

/** A report of success. */
export function report(
  text: string,
  json: Readonly<Record<string, unknown>> = {},
  exitCode: ExitCode = EXIT.ok,
): Report {
  return { text, json, exitCode }
}

/** What a command that goes on says meanwhile: a line of text, or of JSON. */
export function tell(
  { terminal, settings }: Context,
  json: Readonly<Record<string, unknown>>,
  text: string,
): void {
  terminal.out.write(settings.json ? `${JSON.stringify(json)}\n` : text)
}

/** An option that takes a value. */
export function option(flags: string, meaning: string): Option {
  return new Option(flags, meaning)
}

/** The account's name is asked where neither this nor LK_NAME gives it. */
export const NAME_OPTION = option("--name <name>", "account name (LK_NAME)")
