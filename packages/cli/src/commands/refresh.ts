import { LockKeeperError, SHARING_KINDS } from "@lockkeeper/api"
import type {
  OperatorSession,
  RefreshPlan,
  RefreshProgress,
  RefreshReport,
  SharingKind,
} from "@lockkeeper/client/operator"
import { kindsAsked, plansOf } from "../campaign-plans.ts"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"
import { RefreshStart } from "../refresh-start.ts"
import {
  isComplete,
  outcomeJson,
  outcomeText,
  planJson,
  planText,
  progressText,
} from "../refresh-text.ts"
import { addressOf } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { requiredDirectory } from "./incidents-options.ts"

interface RefreshCommandOptions {
  readonly directory?: string
  readonly keys?: boolean
  readonly accounts?: boolean
  readonly dryRun?: boolean
  readonly anew?: boolean
}

interface Work {
  readonly session: OperatorSession
  readonly kinds: readonly SharingKind[]
  readonly start: RefreshStart
  /** When this refresh began, maybe in an earlier run. */
  readonly before: number
}

/** `lockkeeper refresh --directory DIR`: new shares at the same servers, for what they hold. */
export const addRefresh: AddCommands = (add) =>
  add<RefreshCommandOptions>({
    usage: "refresh",
    summary:
      "Give keys and accounts new shares at the same servers, which makes the old ones useless",
    options: [
      option("--directory <dir>", "the directory of the server whose operator you are; it runs"),
      option("--keys", "keys alone"),
      option("--accounts", "accounts alone: the shares that log their owners in"),
      option("--dry-run", "say what would happen, and change nothing"),
      option("--anew", "also what a refresh that was stopped has done already"),
    ],
    examples: [
      "lockkeeper refresh --directory ./server --dry-run",
      "lockkeeper refresh --directory ./server",
      "lockkeeper refresh --directory ./server --keys --json",
    ],
    run: refresh,
  })

async function refresh(context: Context, options: RefreshCommandOptions): Promise<Report> {
  const directory = requiredDirectory(options.directory)
  const start = new RefreshStart(directory)
  const now = Date.now()
  const stopped = options.anew === true ? null : start.read(now)
  const { openOperator } = await import("../operator.ts")
  const session = await openOperator(addressOf(context.settings), directory)
  try {
    const work = {
      session,
      kinds: kindsAsked(options, SHARING_KINDS),
      start,
      before: stopped ?? now,
    }
    const plans = await plansOf(context, work.kinds, (kind) =>
      session.planRefresh({ kind, before: work.before, signal: context.signal }),
    )
    const intent = planned(plans, stopped)
    if (options.dryRun === true) {
      const json = { dryRun: true, plans: plans.map(planJson) }
      return report(intent, json)
    }
    context.terminal.err.write(intent)
    return await carryOut(context, work, plans)
  } finally {
    await session.close()
  }
}

function planned(plans: readonly RefreshPlan[], stopped: number | null): string {
  const since = stopped === null ? "" : new Date(stopped).toISOString().slice(0, 19)
  const going = since === "" ? "" : `Going on with the refresh begun at ${since}Z (or: --anew).\n`
  return going + plans.map((plan) => planText(plan)).join("")
}

async function carryOut(
  context: Context,
  { session, kinds, start, before }: Work,
  plans: readonly RefreshPlan[],
): Promise<Report> {
  const { terminal, signal } = context
  start.write(before)
  const outcomes: [SharingKind, RefreshReport][] = []
  for (const kind of kinds) {
    const progress: { last: RefreshProgress | null } = { last: null }
    const onProgress = (told: RefreshProgress) => {
      progress.last = told
    }
    const text = () => (progress.last === null ? `Refreshing ${kind}` : progressText(progress.last))
    const work = () => session.refresh({ kind, before, signal, onProgress })
    try {
      outcomes.push([kind, await withProgress(terminal, text, work)])
    } catch (error) {
      throw signal.aborted ? stoppedAt(kind, progress.last, error) : error
    }
  }
  const complete = outcomes.every(([, outcome]) => isComplete(outcome))
  // What was skipped needs another look, and what was done is not done again by it.
  if (complete) start.remove()
  const text = outcomes.map(([kind, outcome]) => outcomeText(kind, outcome)).join("")
  const json = {
    plans: plans.map(planJson),
    refreshed: outcomes.map(([kind, outcome]) => outcomeJson(kind, outcome)),
  }
  return report(text, json, complete ? EXIT.ok : EXIT.servers)
}

function stoppedAt(
  kind: SharingKind,
  last: RefreshProgress | null,
  cause: unknown,
): LockKeeperError {
  const done = last === null ? "before anything was done" : `at ${last.done} of ${last.total}`
  return new LockKeeperError("cancelled", `Stopped ${done} ${kind}.`, {
    remedy: "Run the same command again: it goes on with the rest.",
    cause,
  })
}
