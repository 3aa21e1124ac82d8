import assert from "node:assert/strict"
import { LockKeeperError } from "@lockkeeper/api"

/** The LockKeeperError that `act` throws. */
export function refusal(act: () => unknown): LockKeeperError {
  let caught: unknown
  try {
    act()
  } catch (error) {
    caught = error
  }
  assert.ok(caught instanceof LockKeeperError, `expected a refusal, got ${caught}`)
  return caught
}
