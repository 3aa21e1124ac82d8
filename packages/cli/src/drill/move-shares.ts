import type { Member } from "@lockkeeper/api"
import { type Context, type Report, report } from "../command.ts"
import { requiredDirectory } from "../commands/incidents-options.ts"
import { reshare } from "../commands/reshare.ts"
import { EXIT } from "../exit-codes.ts"
import type { RosterFile } from "../roster-file.ts"
import { settleSteps } from "./steps.ts"

export interface MoveOptions {
  readonly directory?: readonly string[]
  readonly dryRun?: boolean
}

/** Moves every share away from the sharings that a server which is out had a part in. */
export async function moveShares(
  context: Context,
  options: MoveOptions,
  { roster }: RosterFile,
  { name }: Member,
): Promise<Report> {
  const [first, ...rest] = options.directory ?? []
  const directory = requiredDirectory(first)
  const isDry = options.dryRun === true
  const moved = await reshare(context, { directory, dryRun: isDry })
  const common = { ...moved.json, phase: "move", server: name, dryRun: isDry }
  if (isDry) return report(`${moved.text}Nothing was changed.\n`, common)
  const complete = moved.exitCode === EXIT.ok
  const settled = complete ? await settleOwn([directory, ...rest]) : []
  const next = complete
    ? `No share goes with what "${name}" had.\n${settleSteps(roster, settled)}`
    : "Not everything has moved yet: run this again.\n"
  return report(moved.text + next, { ...common, complete, settled }, moved.exitCode)
}

/** One's own servers that run go on to the settled roster; others are told to. */
async function settleOwn(directories: readonly string[]): Promise<readonly string[]> {
  const { isRunning } = await import("@lockkeeper/server")
  const { settleRunning } = await import("../server-directory.ts")
  const settled: string[] = []
  for (const directory of directories) {
    if (!(await isRunning(directory))) continue
    await settleRunning(directory, null)
    settled.push(directory)
  }
  return settled
}
