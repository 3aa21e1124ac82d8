import { LockKeeperError, type Roster } from "@lockkeeper/api"
import type {
  OperatorSession,
  RefreshPlan,
  RefreshProgress,
  ReshareReport,
  SharingKind,
} from "@lockkeeper/client/operator"
import { kindsAsked, plansOf } from "../campaign-plans.ts"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { planJson, planText, progressText } from "../refresh-text.ts"
import { isMoved, MOVED, movedJson, movedText, wordingFor } from "../reshare-text.ts"
import { readRoster } from "../roster-file.ts"
import { addressOf } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { requiredDirectory } from "./incidents-options.ts"

export interface ReshareOptions {
  readonly directory?: string
  readonly keys?: boolean
  readonly accounts?: boolean
  readonly dryRun?: boolean
}

interface Work {
  readonly session: OperatorSession
  readonly roster: Roster
  readonly kinds: readonly SharingKind[]
}

/** `lockkeeper reshare --directory DIR`: shares to the holders and the threshold of a roster in transition. */
export const addReshare: AddCommands = (add) =>
  add<ReshareOptions>({
    usage: "reshare",
    summary:
      "Move the shares of accounts and keys to the servers that the next roster gives them to",
    options: [
      option("--directory <dir>", "the directory of the server whose operator you are; it runs"),
      option("--keys", "keys alone: their owners' accounts have moved"),
      option("--accounts", "accounts alone"),
      option("--dry-run", "say what would move, and where; change nothing"),
    ],
    examples: [
      "lockkeeper reshare --directory ./server --dry-run",
      "lockkeeper reshare --directory ./server",
      "lockkeeper reshare --directory ./server --json",
    ],
    run: reshare,
  })

/** Moves what is to move, and says what became of it. */
export async function reshare(context: Context, options: ReshareOptions): Promise<Report> {
  const directory = requiredDirectory(options.directory)
  const address = addressOf(context.settings)
  const { roster } = readRoster(address.roster, address.rosterPin)
  const { openOperator } = await import("../operator.ts")
  const session = await openOperator(address, directory)
  try {
    const work = { session, roster, kinds: kindsAsked(options, MOVED) }
    const plans = await plansOf(context, work.kinds, (kind) =>
      session.planReshare({ kind, signal: context.signal }),
    )
    const intent = plans.map((plan) => planText(plan, wordingFor(roster))).join("")
    if (options.dryRun === true) {
      return report(intent, { dryRun: true, plans: plans.map(planJson) })
    }
    context.terminal.err.write(intent)
    return await carryOut(context, work, plans)
  } finally {
    await session.close()
  }
}

/** Keys stay where they are while accounts do that could not be moved: their owners sign with them there. */
async function carryOut(
  context: Context,
  { session, roster, kinds }: Work,
  plans: readonly RefreshPlan[],
): Promise<Report> {
  const { terminal, signal } = context
  const outcomes: [SharingKind, ReshareReport][] = []
  for (const kind of kinds) {
    if (outcomes.some(([, { skipped }]) => skipped.length > 0)) break
    const progress: { last: RefreshProgress | null } = { last: null }
    const onProgress = (told: RefreshProgress) => {
      progress.last = told
    }
    const wording = wordingFor(roster)
    const text = () =>
      progress.last === null ? `${wording.work} ${kind}` : progressText(progress.last, wording)
    const work = () => session.reshare({ kind, signal, onProgress })
    try {
      outcomes.push([kind, await withProgress(terminal, text, work)])
    } catch (error) {
      throw signal.aborted ? stoppedAt(kind, progress.last, error) : error
    }
  }
  const left = kinds.slice(outcomes.length)
  const waiting = left.map((kind) => `${kind} stay where they are until that is done: run again\n`)
  const text = outcomes.map(([kind, outcome]) => movedText(kind, outcome)).join("")
  const json = {
    plans: plans.map(planJson),
    moved: outcomes.map(([kind, outcome]) => movedJson(kind, outcome)),
  }
  const complete = left.length === 0 && outcomes.every(([, outcome]) => isMoved(outcome))
  return report(text + waiting.join(""), json, complete ? EXIT.ok : EXIT.servers)
}

function stoppedAt(
  kind: SharingKind,
  last: RefreshProgress | null,
  cause: unknown,
): LockKeeperError {
  const done = last === null ? "before anything was done" : `at ${last.done} of ${last.total}`
  return new LockKeeperError("cancelled", `Stopped ${done} ${kind}.`, {
    remedy: "Run the same command again: it goes on with what has not moved.",
    cause,
  })
}
