import type { Member } from "@lockkeeper/api"
import type { OperatorSession, ReshareReport, SharingKind } from "@lockkeeper/client/operator"
import { type Context, type Report, report } from "../command.ts"
import { requiredDirectory } from "../commands/incidents-options.ts"
import { EXIT } from "../exit-codes.ts"
import { isComplete, outcomeJson, outcomeText, planJson, planText } from "../refresh-text.ts"
import type { RosterFile } from "../roster-file.ts"
import { addressOf } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { settleSteps } from "./steps.ts"

// Owners who log in where their account is now can still use keys where these were.
const ORDER: readonly SharingKind[] = ["accounts", "keys"]

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
  const { openOperator } = await import("../operator.ts")
  const session = await openOperator(addressOf(context.settings), directory)
  try {
    if (options.dryRun === true) {
      const plans = []
      for (const kind of ORDER)
        plans.push(await session.planReshare({ kind, signal: context.signal }))
      const text = `${plans.map(planText).join("")}Nothing was changed.\n`
      return report(text, { phase: "move", server: name, dryRun: true, plans: plans.map(planJson) })
    }
    const outcomes = await carryOut(context, session)
    const complete = outcomes.every(([, one]) => isComplete(one) && one.keeping.size === 0)
    const settled = complete ? await settleOwn([directory, ...rest]) : []
    const text =
      outcomes.map(([kind, outcome]) => outcomeText(kind, outcome)).join("") +
      (complete
        ? `No share goes with what "${name}" had.\n${settleSteps(roster, settled)}`
        : "Not everything has moved yet: run this again.\n")
    const moved = outcomes.map(([kind, outcome]) => outcomeJson(kind, outcome))
    const json = { phase: "move", server: name, dryRun: false, complete, moved, settled }
    return report(text, json, complete ? EXIT.ok : EXIT.servers)
  } finally {
    await session.close()
  }
}

async function carryOut(
  { terminal, signal }: Context,
  session: OperatorSession,
): Promise<readonly (readonly [SharingKind, ReshareReport])[]> {
  const outcomes: [SharingKind, ReshareReport][] = []
  for (const kind of ORDER) {
    const work = () => session.reshare({ kind, signal })
    outcomes.push([kind, await withProgress(terminal, `Moving the shares of ${kind}`, work)])
  }
  return outcomes
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
