import { chmodSync, lstatSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { LockKeeperError } from "@lockkeeper/api"

/** Unix socket addresses are shorter than paths: 104 bytes on macOS, 108 on Linux, one for NUL. */
const MAX_SOCKET_PATH = 103

/** Where the agent of a profile listens. */
export function agentSocket(home: string): string {
  return join(home, "agent", "agent.sock")
}

/**
 * Makes the directory of the socket, with access for its owner only: file permissions are what
 * keeps other users from the session.
 *
 * @throws LockKeeperError `misconfigured` when the path is too long or the directory is not safe.
 */
export function prepareSocketDirectory(socket: string): void {
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    throw new LockKeeperError(
      "misconfigured",
      `The agent's socket path is longer than ${MAX_SOCKET_PATH} bytes: "${socket}".`,
      { field: "LK_HOME", remedy: "Set LK_HOME to a shorter path, for example ~/.lockkeeper." },
    )
  }
  const directory = dirname(socket)
  const created = mkdirSync(directory, { recursive: true, mode: 0o700 })
  // The umask may have taken bits away, never added any; a given directory is only checked.
  if (created !== undefined) chmodSync(directory, 0o700)
  checkOwnerOnly(directory, "directory")
}

/**
 * Whether an agent's socket is there and safe to talk to.
 *
 * @throws LockKeeperError `misconfigured` when somebody else could have put it there.
 */
export function socketIsUsable(socket: string): boolean {
  if (lstatSync(socket, { throwIfNoEntry: false }) === undefined) return false
  checkOwnerOnly(dirname(socket), "directory")
  checkOwnerOnly(socket, "socket")
  return true
}

function checkOwnerOnly(path: string, kind: "directory" | "socket"): void {
  const stats = lstatSync(path)
  const isKind = kind === "directory" ? stats.isDirectory() : stats.isSocket()
  const refuse = (what: string, remedy: string): never => {
    throw new LockKeeperError("misconfigured", `The agent's ${kind} "${path}" ${what}.`, {
      field: "agent",
      remedy,
    })
  }
  if (!isKind) refuse(`is not a ${kind}`, "Remove it and log in again.")
  const self = process.getuid?.()
  if (self !== undefined && stats.uid !== self) {
    refuse("belongs to another user", "Remove it and log in again.")
  }
  if ((stats.mode & 0o077) !== 0) {
    refuse("is open to other users", `Run: chmod go-rwx ${path}`)
  }
}
