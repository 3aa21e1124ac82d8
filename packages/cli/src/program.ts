import { Command, CommanderError } from "commander"
import { type CommandDefinition, define, type Host, type Report } from "./command.ts"
import { addCompletion } from "./commands/completion.ts"
import { addDev } from "./commands/dev.ts"
import { addDoctor } from "./commands/doctor.ts"
import { addDrillCompromise } from "./commands/drill-compromise.ts"
import { addEvidenceVerify } from "./commands/evidence-verify.ts"
import { addHealth } from "./commands/health.ts"
import { addIncidentsClear } from "./commands/incidents-clear.ts"
import { addIncidentsList } from "./commands/incidents-list.ts"
import { addIncidentsShow } from "./commands/incidents-show.ts"
import { addKeysAddress } from "./commands/keys-address.ts"
import { addKeysCreate } from "./commands/keys-create.ts"
import { addKeysDerive } from "./commands/keys-derive.ts"
import { addKeysList } from "./commands/keys-list.ts"
import { addKeysShow } from "./commands/keys-show.ts"
import { addKeysState } from "./commands/keys-state.ts"
import { addLogin } from "./commands/login.ts"
import { addLogout } from "./commands/logout.ts"
import { addMaintain } from "./commands/maintain.ts"
import { addPasswd } from "./commands/passwd.ts"
import { addPolicyTest } from "./commands/policy-test.ts"
import { addPoolStatus } from "./commands/pool-status.ts"
import { addRefresh } from "./commands/refresh.ts"
import { addRegister } from "./commands/register.ts"
import { addRepair } from "./commands/repair.ts"
import { addReshare } from "./commands/reshare.ts"
import { addRosterActivate } from "./commands/roster-activate.ts"
import { addRosterCreate } from "./commands/roster-create.ts"
import { addRosterDiff } from "./commands/roster-diff.ts"
import { addRosterInstall } from "./commands/roster-install.ts"
import { addRosterJoin } from "./commands/roster-join.ts"
import { addRosterPropose } from "./commands/roster-propose.ts"
import { addRosterSettle } from "./commands/roster-settle.ts"
import { addRosterShow } from "./commands/roster-show.ts"
import { addRosterSign } from "./commands/roster-sign.ts"
import { addRosterVerify } from "./commands/roster-verify.ts"
import { addServerInit } from "./commands/server-init.ts"
import { addServerRetire } from "./commands/server-retire.ts"
import { addServerRotateChannelKey } from "./commands/server-rotate-channel-key.ts"
import { addServerRun } from "./commands/server-run.ts"
import { addSign } from "./commands/sign.ts"
import { addSignMessage } from "./commands/sign-message.ts"
import { addSignTx } from "./commands/sign-tx.ts"
import { addVerify } from "./commands/verify.ts"
import { EXIT, EXIT_MEANINGS, exitCodeOf } from "./exit-codes.ts"
import { asLockKeeperError, describeError, errorJson } from "./failure.ts"
import { VARIABLES } from "./settings.ts"
import { table } from "./text.ts"

/** Runs one command line, without the program's own name, and returns the exit code. */
export async function run(args: readonly string[], host: Host): Promise<number> {
  const { out, err } = host.terminal
  // Before the settings are resolved only the raw words tell how to report a failure.
  let json = args.includes("--json") || ["1", "on"].includes(host.environment["LK_JSON"] ?? "")
  let exitCode: number = EXIT.ok
  const finish = (report: Report, settings: { json: boolean }) => {
    json = settings.json
    exitCode = report.exitCode ?? EXIT.ok
    out.write(
      json ? `${JSON.stringify({ ok: exitCode === EXIT.ok, ...report.json })}\n` : report.text,
    )
  }
  try {
    await buildProgram(host, finish).parseAsync([...args], { from: "user" })
    return exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError) return usageExit(thrown, json, host)
    const error = asLockKeeperError(thrown)
    if (json) out.write(`${JSON.stringify(errorJson(error))}\n`)
    else err.write(describeError(error))
    if (host.environment["LK_DEBUG"] === "1" && thrown instanceof Error) {
      err.write(`${thrown.stack}\n`)
    }
    return exitCodeOf(error.code)
  }
}

/** The command tree. */
export function buildProgram(
  host: Host,
  finish: (report: Report, settings: { json: boolean }) => void,
): Command {
  const { out, err } = host.terminal
  const program = new Command("lockkeeper")
  // Inherited by the commands, so these come first.
  program
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.write(text), writeErr: (text) => err.write(text) })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("Run with --help for usage and examples.")
  program
    .description("Keys held by several servers that do not trust each other, used by your password")
    .version("0.1.0")
    .option("--home <dir>", "profile directory (LK_HOME, default ~/.lockkeeper)")
    .option("--config <file>", "configuration file (LK_CONFIG)")
    .option("--roster <file>", "signed roster of the key servers (LK_ROSTER)")
    .option("--no-agent", "do not use the agent: ask for the password each time (LK_AGENT=off)")
    .option("--json", "print one line of JSON on standard output (LK_JSON=1)")
    .addHelpText("after", generalHelp())

  const under = (parent: Command) => {
    return <Options extends object>(definition: CommandDefinition<Options>) =>
      define(parent, host, finish, definition)
  }
  const group = (name: string, summary: string) => under(program.command(name).description(summary))
  const root = under(program)
  addDev(root)
  addRegister(root)
  addLogin(root)
  addLogout(root)
  addPasswd(root)
  const keys = group("keys", "Generate, list, show, derive and suspend keys, and their addresses")
  addKeysCreate(keys)
  addKeysList(keys)
  addKeysShow(keys)
  addKeysDerive(keys)
  addKeysAddress(keys)
  addKeysState(keys)
  addSign(root)
  addSignTx(root)
  addSignMessage(root)
  addVerify(root)
  addPoolStatus(group("pool", "Presignatures, made ahead so that ECDSA signs at once"))
  addMaintain(root)
  addRefresh(root)
  addRepair(root)
  addReshare(root)
  addHealth(root)
  addDoctor(root)
  const roster = group("roster", "The list of key servers, and what is trusted about it")
  addRosterShow(roster)
  addRosterCreate(roster)
  addRosterPropose(roster)
  addRosterSign(roster)
  addRosterJoin(roster)
  addRosterInstall(roster)
  addRosterActivate(roster)
  addRosterSettle(roster)
  addRosterDiff(roster)
  addRosterVerify(roster)
  const server = group("server", "Set up and run a key server")
  addServerInit(server)
  addServerRun(server)
  addServerRotateChannelKey(server)
  addServerRetire(server)
  addDrillCompromise(group("drill", "What to do when a server is lost to somebody else"))
  addEvidenceVerify(group("evidence", "Proofs that a key server broke the protocol"))
  addPolicyTest(group("policy", "Who may use an account's keys, for what"))
  const incidents = group("incidents", "Servers that were proven to have broken the protocol")
  addIncidentsList(incidents)
  addIncidentsShow(incidents)
  addIncidentsClear(incidents)
  addCompletion(program, (script) => out.write(script))
  return program
}

function usageExit(error: CommanderError, json: boolean, { terminal }: Host): number {
  // Help and version are reported by commander as errors with exit code 0.
  if (error.exitCode === 0) return EXIT.ok
  if (json) {
    const message = error.message.replace(/^error: /, "")
    const detail = { code: "invalid-request", message, field: "arguments", server: 0 }
    const remedy = "Run with --help for usage and examples."
    const rest = { remedy, guessesRemaining: null, retry: "never" }
    terminal.out.write(`${JSON.stringify({ ok: false, error: { ...detail, ...rest } })}\n`)
  }
  return EXIT.usage
}

function generalHelp(): string {
  const codes = table(EXIT_MEANINGS.map(([code, meaning]) => [`  ${code}`, meaning]))
  const variables = table(VARIABLES.map(([name, meaning]) => [`  ${name}`, meaning]))
  return `
Examples:
  $ lockkeeper dev                              # a local cluster of three servers
  $ lockkeeper register --name ada
  $ lockkeeper login --name ada
  $ lockkeeper keys create --type ed25519 --label savings
  $ lockkeeper sign savings --message hello
  $ lockkeeper keys create --type ecdsa-secp256k1 --label spending
  $ lockkeeper keys address spending
  $ lockkeeper sign-tx spending transfer.hex

Exit codes:
${codes}
Variables:
${variables}`
}
