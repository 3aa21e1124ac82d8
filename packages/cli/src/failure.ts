import { LockKeeperError } from "@lockkeeper/api"
import { DecodeError } from "@lockkeeper/encoding"

/** Any thrown value as the one error class, in words that say what to do. */
export function asLockKeeperError(thrown: unknown): LockKeeperError {
  if (thrown instanceof LockKeeperError) return thrown
  if (thrown instanceof DecodeError) {
    return new LockKeeperError("invalid-request", `The input is damaged: ${thrown.message}.`, {
      field: thrown.path,
      remedy: "Fetch the file again; do not edit it by hand.",
      cause: thrown,
    })
  }
  if (thrown instanceof Error && thrown.name === "AbortError") {
    return new LockKeeperError("cancelled", "Cancelled.", { cause: thrown })
  }
  const system = systemError(thrown)
  if (system !== null) return system
  const what = thrown instanceof Error ? thrown.message : String(thrown)
  return new LockKeeperError("internal", `An unexpected fault: ${what}.`, {
    remedy: "Run the command again with LK_DEBUG=1 and report what it prints.",
    cause: thrown,
  })
}

function systemError(thrown: unknown): LockKeeperError | null {
  if (!(thrown instanceof Error) || !("code" in thrown)) return null
  const path = "path" in thrown && typeof thrown.path === "string" ? thrown.path : ""
  const at = path === "" ? "" : ` "${path}"`
  const details = { field: path, cause: thrown }
  switch (thrown.code) {
    case "ENOENT":
      return new LockKeeperError("not-found", `The file${at} does not exist.`, {
        ...details,
        remedy: "Check the path.",
      })
    case "EACCES":
    case "EPERM":
      return new LockKeeperError("misconfigured", `This user may not open${at}.`, {
        ...details,
        remedy: "Run as the user who owns it, or correct its permissions.",
      })
    case "EADDRINUSE":
      return new LockKeeperError("misconfigured", "The address is already in use.", {
        ...details,
        remedy: "Choose another port, or stop the process that uses it.",
      })
    case "ENOSPC":
      return new LockKeeperError("misconfigured", "The disk is full.", {
        ...details,
        remedy: "Free some space.",
      })
    default:
      return null
  }
}

/**
 * An error for a person: what happened, where, how many guesses are left, what to do. Never a
 * stack: that is only shown with LK_DEBUG=1.
 */
export function describeError(error: LockKeeperError): string {
  const lines = [`error: ${error.message}`]
  if (error.server !== 0) lines.push(`server: ${error.server}`)
  if (error.field !== "" && !error.message.includes(error.field))
    lines.push(`field: ${error.field}`)
  if (error.guessesRemaining !== null) {
    const left = error.guessesRemaining
    lines.push(`${left} ${left === 1 ? "guess" : "guesses"} left before the account locks.`)
  }
  if (error.remedy !== "") lines.push(`what to do: ${error.remedy}`)
  return `${lines.join("\n")}\n`
}

/** An error for a program: the same fields, none left out. */
export function errorJson(error: LockKeeperError): Readonly<Record<string, unknown>> {
  const { code, message, field, remedy, server, guessesRemaining, retry } = error
  return { ok: false, error: { code, message, field, server, remedy, guessesRemaining, retry } }
}
