import assert from "node:assert/strict"
import { type ErrorCode, LockKeeperError } from "@lockkeeper/client"

/** The LockKeeperError that `act` rejects with, of this code. */
export async function refused(act: () => unknown, code: ErrorCode): Promise<LockKeeperError> {
  try {
    await act()
  } catch (error) {
    assert.ok(error instanceof LockKeeperError, `not a LockKeeperError: ${error}`)
    assert.equal(error.code, code, error.message)
    return error
  }
  return assert.fail(`it was not refused with ${code}`)
}
