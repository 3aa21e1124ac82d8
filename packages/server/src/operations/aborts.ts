import { type Event, LockKeeperError } from "@lockkeeper/api"
import type { Abort } from "@lockkeeper/protocols"
import { loggedIncidents, ownFindings } from "../incidents/own.ts"
import type { Change } from "../ports/store.ts"
import { commitChanges, type StepOutcome } from "../request/commit.ts"
import { markLogged } from "../request/refusal.ts"
import type { Step } from "../request/step.ts"

/**
 * Ends a step whose protocol aborted: what it took stays taken, the log says why and who, and the
 * principal gets the reason. What this server can prove itself it records; other proofs are in messages
 * the coordinator holds.
 */
export async function refuseAbort(
  step: Step,
  abort: Abort,
  changes: readonly Change[],
  event: Partial<Event>,
): Promise<StepOutcome> {
  const { reason, culprits, field } = abort
  const recording = ownFindings(step, abort)
  try {
    const incidents = loggedIncidents(recording)
    await commitChanges(
      step.deps,
      [...changes, ...recording.changes],
      step.event({ ...event, outcome: "aborted", reason, culprits, incidents }),
    )
    recording.committed()
  } finally {
    recording.release()
  }
  throw markLogged(abortError(abort, field))
}

/** An abort as a refusal. */
export function abortError({ reason, culprits }: Abort, field: string): LockKeeperError {
  const blame =
    culprits.length === 0 ? "nobody is blamed" : `server ${culprits.join(", ")} is to blame`
  return new LockKeeperError("aborted", `The protocol aborted: ${reason}; ${blame}.`, {
    field,
    remedy: "Start again, without the servers at fault.",
  })
}
