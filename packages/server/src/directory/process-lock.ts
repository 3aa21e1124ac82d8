import { join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"
import Database from "better-sqlite3"
import { FILES } from "./layout.ts"

/**
 * Holds a server's directory for this process. The operating system lets go of it when the process
 * ends, however it ends, so that nothing stale is left after kill -9.
 *
 * @returns what lets go of it.
 * @throws LockKeeperError `misconfigured` while another process holds it.
 */
export function holdDirectory(directory: string): () => void {
  // SQLite's own locks are advisory file locks that the kernel releases; Node offers none itself.
  const database = new Database(join(directory, FILES.lock), { timeout: 0 })
  try {
    database.exec("BEGIN EXCLUSIVE")
  } catch (cause) {
    database.close()
    throw new LockKeeperError("misconfigured", "Another process runs this server.", {
      field: "directory",
      remedy: "Stop it first; a directory belongs to one process.",
      cause,
    })
  }
  return () => database.close()
}
