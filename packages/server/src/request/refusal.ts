import { type Event, LockKeeperError } from "@lockkeeper/api"
import type { Dependencies } from "../ports/dependencies.ts"
import { StoreUnavailable } from "../ports/row-store.ts"
import { SealBroken } from "../sealing/sealed-store.ts"
import { commitEvent } from "./commit.ts"

const logged = new WeakSet<Error>()

/** Marks a refusal whose log entry is committed, so that it gets no second one. */
export function markLogged<E extends Error>(error: E): E {
  logged.add(error)
  return error
}

/**
 * Gives a refusal its one log entry, unless it has one. Returns what to refuse with: without an
 * entry, that the log cannot be written.
 */
export async function logRefusal(
  deps: Dependencies,
  error: unknown,
  event: (details: Partial<Event>) => Event,
): Promise<unknown> {
  if (!(error instanceof Error) || logged.has(error)) return error
  try {
    await commitEvent(deps, event({ outcome: "refused", reason: codeOf(error) }))
    return markLogged(error)
  } catch (failure) {
    return failure
  }
}

function codeOf(error: Error): string {
  if (error instanceof LockKeeperError) return error.code
  return error instanceof SealBroken || error instanceof StoreUnavailable
    ? "unavailable"
    : "internal"
}

/**
 * What a principal is told about a failure. Refusals pass; anything else says no more than that the
 * server cannot do it now, and the operator is told which kind of failure it was.
 */
export function refusalOf(deps: Dependencies, error: unknown): LockKeeperError {
  if (error instanceof LockKeeperError) return error
  const known = error instanceof StoreUnavailable || error instanceof SealBroken
  deps.events.event("operation-failed", {
    kind: error instanceof Error ? error.name : "unknown",
    // Messages of our own classes hold no data; those of others might.
    reason: known ? error.message : "",
  })
  const remedy = "Try again, or use other servers; its operator has been told."
  if (error instanceof SealBroken) {
    return new LockKeeperError("unavailable", "The server's database was tampered with.", {
      remedy,
    })
  }
  if (error instanceof StoreUnavailable) {
    return new LockKeeperError("unavailable", "The server cannot write its log now.", { remedy })
  }
  return new LockKeeperError("internal", "The server failed to do this.", { remedy })
}
