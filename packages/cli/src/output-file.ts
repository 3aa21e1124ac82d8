import { closeSync, openSync, writeSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"

/**
 * Writes a new file; one that exists is never overwritten.
 *
 * @throws LockKeeperError `already-exists` naming the option.
 */
export function writeNewFile(path: string, content: Uint8Array, option: string): void {
  let descriptor: number
  try {
    descriptor = openSync(path, "wx", 0o644)
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause
    throw new LockKeeperError("already-exists", `The file "${path}" already exists.`, {
      field: option,
      remedy: "Name another file, or move this one away.",
      cause,
    })
  }
  try {
    writeSync(descriptor, content)
  } finally {
    closeSync(descriptor)
  }
}
