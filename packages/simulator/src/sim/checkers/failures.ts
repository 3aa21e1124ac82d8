import type { Checker } from "./checker.ts"

/** What crashes, partitions, full disks and lost answers may end an operation with. */
const EXCUSED: ReadonlySet<string> = new Set([
  "unavailable",
  "not-enough-servers",
  "session-ended",
  "conflict",
  "aborted",
  "rate-limited",
  "out-of-order",
  "locked",
  "quarantined",
])

export const failures: Checker = {
  name: "failures",
  holds: "an honest client's operation ends well, or with an error that a fault explains",
  check: ({ failures: all }) =>
    all
      .filter(({ code, expected }) => !EXCUSED.has(code) && !expected.includes(code))
      .map(({ actor, operation, code, message }) => `${actor}: ${operation}: ${code}: ${message}`),
}

export const liveness: Checker = {
  name: "liveness",
  holds: "after healing, what was outstanding and a new round of operations end in time",
  check: ({ unfinished }) => unfinished,
}
