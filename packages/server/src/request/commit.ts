import { type Event, eventCodec, LockKeeperError, type LogPosition } from "@lockkeeper/api"
import { type Bytes, encode } from "@lockkeeper/encoding"
import type { Dependencies } from "../ports/dependencies.ts"
import { type Change, StoreConflict } from "../ports/store.ts"
import { keepAnswer, type Question, readAnswer } from "./answers.ts"
import type { RecentAnswers } from "./recent-answers.ts"

/** What an operation's step wants to happen; nothing of it has happened yet. */
export interface StepOutcome {
  /** Answer to the principal; leaves only after the commit. */
  readonly output: Bytes
  /**
   * Where a retry finds the same bytes. In memory alone, the store keeps that the step was answered:
   * who asks again after this process has ended is refused. Durable unless said otherwise.
   */
  readonly answer?: "durable" | "in-memory"
  readonly changes: readonly Change[]
  readonly event: Event
  /** Changes to this process's memory that follow from the commit, such as ended sessions. */
  readonly afterCommit?: () => void
  /** What to let go of however the commit ended, after `afterCommit`, such as reserved room. */
  readonly release?: () => void
}

/** Appends one event and nothing else: refusals, aborts. */
export async function commitEvent(deps: Dependencies, event: Event): Promise<LogPosition> {
  return commitChanges(deps, [], event)
}

/** Applies changes and their log entry together. @throws LockKeeperError `conflict`. */
export async function commitChanges(
  deps: Dependencies,
  changes: readonly Change[],
  event: Event,
): Promise<LogPosition> {
  const entry = { time: deps.clock.now(), event: encode(eventCodec, event) }
  try {
    const positions = await deps.store.commit([...changes, { kind: "append", entry }])
    return positions[0] as LogPosition
  } catch (error) {
    if (!(error instanceof StoreConflict)) throw error
    throw new LockKeeperError(
      "conflict",
      "Another request changed the same record first; nothing was done.",
      { remedy: "Send the request again.", cause: error },
    )
  } finally {
    // Rows may hold secrets; the store has sealed copies of its own.
    for (const change of changes) if (change.kind === "put") change.value.fill(0)
  }
}

/**
 * The one place where a step's effects become real: one-time state taken, next state put, the answer
 * kept, the event logged, all or nothing; then what follows from it in this process's memory. When
 * another copy of the same step won, its answer is returned and ours is thrown away.
 */
export async function commitStep(
  deps: Dependencies,
  recent: RecentAnswers,
  question: Question,
  { output, answer = "durable", changes, event, afterCommit, release }: StepOutcome,
): Promise<{ output: Bytes; log: LogPosition }> {
  const kept = keepAnswer(question, answer === "durable" ? output : null)
  try {
    const log = await commitChanges(deps, [...changes, kept], event)
    if (answer === "in-memory") recent.keep(question.id, output, deps.clock.now())
    afterCommit?.()
    return { output, log }
  } catch (error) {
    if (!(error instanceof LockKeeperError) || error.code !== "conflict") throw error
    const repeated = await repeatAnswer(deps, recent, question)
    if (repeated === null) throw error
    return repeated
  } finally {
    release?.()
  }
}

/** The answer that was committed for this step before, or null. @throws like `readAnswer`. */
export async function repeatAnswer(
  deps: Dependencies,
  recent: RecentAnswers,
  question: Question,
): Promise<{ output: Bytes; log: LogPosition } | null> {
  const output = await readAnswer(deps.store, recent, question)
  if (output === null) return null
  // The entry stands at or before the head as it is now, which covers it too.
  const log = await deps.store.logPosition()
  if (log === null) throw new Error("an answer was kept without a log entry")
  return { output, log }
}
