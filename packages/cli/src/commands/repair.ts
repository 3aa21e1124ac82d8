import { LockKeeperError, type Member } from "@lockkeeper/api"
import type { RepairProgress, RepairReport, SharingKind } from "@lockkeeper/client/operator"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { lackingText, REPAIRED, repairedText, repairingText, repairJson } from "../repair-text.ts"
import { readRoster } from "../roster-file.ts"
import { addressOf } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { requiredDirectory } from "./incidents-options.ts"

interface Options {
  readonly directory?: string
  readonly server: string
  readonly dryRun?: boolean
}

/** `lockkeeper repair --directory DIR --server NAME`: what one server lacks, made again by the others. */
export const addRepair: AddCommands = (add) =>
  add<Options>({
    usage: "repair",
    summary: "Restore the shares that a server has lost or missed, with the help of the others",
    options: [
      option("--directory <dir>", "the directory of the server whose operator you are; it runs"),
      option("--server <name>", "who lacks shares: its name or number").makeOptionMandatory(),
      option("--dry-run", "say what would be repaired, and from whom; change nothing"),
    ],
    examples: [
      "lockkeeper repair --directory ./server --server server-3 --dry-run",
      "lockkeeper repair --directory ./server --server server-3",
      "lockkeeper repair --directory ./server --server 3 --json",
    ],
    run: repair,
  })

async function repair(context: Context, options: Options): Promise<Report> {
  const directory = requiredDirectory(options.directory)
  const address = addressOf(context.settings)
  const { roster } = readRoster(address.roster, address.rosterPin)
  const member = memberNamed(roster.members, options.server)
  const { openOperator } = await import("../operator.ts")
  const session = await openOperator(address, directory)
  const reports: [SharingKind, RepairReport][] = []
  try {
    for (const kind of REPAIRED) {
      const { signal, terminal } = context
      const common = { server: member.identifier, kind, signal }
      const look = () => session.repair({ ...common, dryRun: true })
      const looking = `Comparing the ${kind} of "${member.name}" with the others'`
      const found = await withProgress(terminal, looking, look)
      const intent = lackingText(member.name, kind, found)
      if (options.dryRun === true) {
        reports.push([kind, found])
        continue
      }
      context.terminal.err.write(intent)
      const progress: { last: RepairProgress | null } = { last: null }
      const onProgress = (told: RepairProgress) => {
        progress.last = told
      }
      const text = () =>
        progress.last === null ? `Repairing ${kind}` : repairingText(progress.last)
      const work = () => session.repair({ ...common, onProgress })
      try {
        reports.push([kind, await withProgress(terminal, text, work)])
      } catch (error) {
        throw signal.aborted ? stoppedAt(kind, progress.last, error) : error
      }
    }
  } finally {
    await session.close()
  }
  return ended(member, reports, options.dryRun === true)
}

/** By name, or by number where no name is that. @throws LockKeeperError `not-found`, field `server` */
function memberNamed(members: readonly Member[], asked: string): Member {
  const found =
    members.find(({ name }) => name === asked) ??
    members.find(({ identifier }) => String(identifier) === asked)
  if (found !== undefined) return found
  throw new LockKeeperError("not-found", `The roster has no server "${asked}".`, {
    field: "server",
    remedy: "See `lockkeeper roster show` for their names.",
  })
}

function ended(
  { identifier: server, name }: Member,
  reports: readonly (readonly [SharingKind, RepairReport])[],
  dryRun: boolean,
): Report {
  const lines = reports.map(([kind, one]) =>
    dryRun ? lackingText(name, kind, one) : repairedText(kind, one),
  )
  const repaired = reports.map(([kind, one]) => repairJson(kind, one))
  const isComplete = reports.every(
    ([, { skipped, unclear }]) => skipped.length + unclear.length === 0,
  )
  const exit = dryRun || isComplete ? EXIT.ok : EXIT.servers
  return report(lines.join(""), { server, name, dryRun, repaired }, exit)
}

function stoppedAt(
  kind: SharingKind,
  last: RepairProgress | null,
  cause: unknown,
): LockKeeperError {
  const done = last === null ? "before anything was done" : `at ${last.done} of ${last.total}`
  return new LockKeeperError("cancelled", `Stopped ${done} ${kind}.`, {
    remedy: "Run the same command again: it goes on with what is still lacking.",
    cause,
  })
}
