import { LockKeeperError } from "@lockkeeper/api"
import type { Dependencies } from "../ports/dependencies.ts"
import { StoreUnavailable } from "../ports/row-store.ts"
import { SealBroken } from "../sealing/sealed-store.ts"

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
