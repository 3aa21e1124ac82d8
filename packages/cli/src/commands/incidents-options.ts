import { LockKeeperError } from "@lockkeeper/api"

/** @throws LockKeeperError `invalid-request` naming `number`. */
export function incidentNumber(typed: string): number {
  const number = /^[1-9]\d{0,9}$/.test(typed) ? Number(typed) : 0
  if (number >= 1 && number <= 0xffff_ffff) return number
  throw new LockKeeperError("invalid-request", `"${typed}" is no number of an incident.`, {
    field: "number",
    remedy: "See `lockkeeper incidents list --directory`.",
  })
}

/** @throws LockKeeperError `invalid-request` naming `directory`. */
export function requiredDirectory(directory: string | undefined): string {
  if (directory !== undefined) return directory
  throw new LockKeeperError("invalid-request", "This is for the operator of a server.", {
    field: "directory",
    remedy: "Name the server's directory with --directory.",
  })
}
