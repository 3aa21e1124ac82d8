import pino, { type DestinationStream } from "pino"
import type { EventSink } from "../ports/dependencies.ts"

/** What an event may carry: a name the code gave, and numbers, booleans or short words beside it. */
const MAX_TEXT = 200

/** Words under which nothing may be logged, whoever tries: a last line behind the port's types. */
const REDACTED = ["passphrase", "password", "secret", "key", "share", "body", "sealed", "token"]

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "silent"

// What an operator has to act on stands out; everything else is information.
const LEVELS: Readonly<Record<string, "error" | "warn">> = {
  "internal-error": "error",
  "seal-broken": "error",
  "unclean-stop": "warn",
  "certificate-expires-soon": "warn",
  "tidy-failed": "warn",
  "control-unavailable": "warn",
  "evidence-against-this-server": "error",
  "server-quarantined": "warn",
  "pair-disputed": "warn",
  "incident-cleared": "warn",
}

/** Events as JSON lines, one each, on standard error or where `destination` leads. */
export function pinoEvents(
  level: LogLevel,
  context: Readonly<Record<string, string | number>>,
  destination: DestinationStream = pino.destination({ fd: 2, sync: true }),
): EventSink {
  const logger = pino(
    {
      level,
      base: context,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: REDACTED, censor: "[redacted]" },
    },
    destination,
  )
  return {
    event(name, fields) {
      const short = Object.entries(fields).map(([field, value]) => [
        field,
        typeof value === "string" ? value.slice(0, MAX_TEXT) : value,
      ])
      logger[LEVELS[name] ?? "info"](Object.fromEntries(short), name)
    },
  }
}
