import { closeSync, existsSync, openSync, writeFileSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"

/** Says before the work is done that its result would overwrite a file. @throws LockKeeperError */
export function checkNewFile(path: string, option: string): void {
  if (existsSync(path)) throw alreadyExists(path, option)
}

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
    throw alreadyExists(path, option)
  }
  try {
    writeFileSync(descriptor, content)
  } finally {
    closeSync(descriptor)
  }
}

function alreadyExists(path: string, option: string): LockKeeperError {
  return new LockKeeperError("already-exists", `The file "${path}" already exists.`, {
    field: option,
    remedy: "Name another file, or move this one away.",
  })
}
