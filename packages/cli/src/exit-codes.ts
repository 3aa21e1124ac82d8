import type { ErrorCode } from "@lockkeeper/api"

/** How the command ends, as scripts tell outcomes apart: closed, and never renumbered. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  authentication: 3,
  permission: 4,
  notFound: 5,
  conflict: 6,
  servers: 7,
  trust: 8,
  configuration: 9,
  verification: 10,
  cancelled: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What each exit code says, for help and documentation. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, "done"],
  [EXIT.internal, "a fault of Lock Keeper itself"],
  [EXIT.usage, "the command line or the request is not valid"],
  [EXIT.authentication, "not logged in, wrong password, or locked"],
  [EXIT.permission, "not allowed"],
  [EXIT.notFound, "no such account, key, file or server"],
  [EXIT.conflict, "already exists, expired, or changed meanwhile"],
  [EXIT.servers, "too few key servers answered; trying later may help"],
  [EXIT.trust, "a roster or server is not the one that is trusted"],
  [EXIT.configuration, "a setting, file or clock is wrong"],
  [EXIT.verification, "a signature, evidence or check does not hold"],
  [EXIT.cancelled, "cancelled"],
]

const EXIT_OF: Readonly<Record<ErrorCode, ExitCode>> = {
  "invalid-request": EXIT.usage,
  "too-large": EXIT.usage,
  unauthenticated: EXIT.authentication,
  "session-ended": EXIT.authentication,
  "wrong-password": EXIT.authentication,
  locked: EXIT.authentication,
  "permission-denied": EXIT.permission,
  "not-found": EXIT.notFound,
  "already-exists": EXIT.conflict,
  conflict: EXIT.conflict,
  expired: EXIT.conflict,
  replayed: EXIT.conflict,
  "out-of-order": EXIT.conflict,
  "wrong-server": EXIT.trust,
  "wrong-roster": EXIT.trust,
  "clock-skew": EXIT.configuration,
  "rate-limited": EXIT.servers,
  unavailable: EXIT.servers,
  aborted: EXIT.servers,
  "not-enough-servers": EXIT.servers,
  "untrusted-roster": EXIT.trust,
  "untrusted-server": EXIT.trust,
  misconfigured: EXIT.configuration,
  cancelled: EXIT.cancelled,
  internal: EXIT.internal,
  quarantined: EXIT.servers,
}

/** The exit code of an error; exhaustive, so that a new error code does not compile without one. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return EXIT_OF[code]
}
