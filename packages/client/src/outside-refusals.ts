import { type ErrorCode, LockKeeperError, type Member } from "@lockkeeper/api"

/**
 * What a server says to whom it has no session with. Everything else it says inside one, where nobody
 * can make it up; from outside it could be the word of whoever terminates TLS.
 */
const OUTSIDE: ReadonlySet<ErrorCode> = new Set([
  "invalid-request",
  "too-large",
  "unauthenticated",
  "session-ended",
  "replayed",
  "wrong-server",
  "wrong-roster",
  "rate-limited",
  "unavailable",
  "internal",
])

/** A failed call through a link, with what only a session may say taken for no answer at all. */
export function outsideRefusal(
  { identifier, name }: Member,
  error: unknown,
  { aborted }: AbortSignal,
): unknown {
  if (!(error instanceof LockKeeperError)) return error
  if (OUTSIDE.has(error.code) || (error.code === "cancelled" && aborted)) return error
  const message = `Server "${name}", or who relays to it, refused without a session (${error.code}).`
  return new LockKeeperError("unavailable", message, {
    server: identifier,
    remedy: "Check that its URL leads to the server and to nobody in between.",
    cause: error,
  })
}
