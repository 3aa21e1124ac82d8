import { LockKeeperError } from "@lockkeeper/api"

/**
 * Whether a server refuses because it follows another roster: it says so, or it cannot read what is
 * said to it, since that roster lists another channel key for it.
 */
export function followsAnother(error: unknown): boolean {
  if (!(error instanceof LockKeeperError)) return false
  return error.code === "wrong-roster" || error.code === "wrong-server"
}
