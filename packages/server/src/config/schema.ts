import { availableParallelism } from "node:os"
import { LockKeeperError } from "@lockkeeper/api"
import { z } from "zod"

/** Browsers' `Origin` header: a scheme, a host, perhaps a port, and nothing after it. */
const ORIGIN = /^https?:\/\/[^/?#@\s*]+$/

const whole = (least: number, most: number) => z.int().min(least).max(most)

const origin = z.string().refine((text) => ORIGIN.test(text) && URL.canParse(text), {
  error: "not an origin such as https://console.example.org",
})

const listenSchema = z.strictObject({
  host: z.string().min(1).max(255).default("127.0.0.1"),
  port: whole(0, 65_535),
})

const tlsSchema = z.strictObject({
  certificate: z.string().min(1),
  key: z.string().min(1),
})

const sealSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("passphrase"),
    passphraseFile: z.string().min(1).optional(),
  }),
])

const storeSchema = z.discriminatedUnion("kind", [z.strictObject({ kind: z.literal("sqlite") })])

const limitsSchema = z.strictObject({
  /** Requests handled at once; more are refused at the door. */
  concurrentRequests: whole(1, 10_000).default(256),
  /** Open connections. */
  connections: whole(1, 100_000).default(4_096),
  /** Requests a second from one address, and how many may come at once. */
  requestsPerSecond: whole(1, 100_000).default(1_000),
  requestBurst: whole(1, 1_000_000).default(4_000),
  /** Sessions opened a minute from one address: each costs the server a key exchange. */
  opensPerMinute: whole(1, 1_000_000).default(600),
  /** Requests a second in one session. */
  sessionRequestsPerSecond: whole(1, 100_000).default(500),
  /** Longest a request may take to arrive and be answered, milliseconds. */
  requestTimeoutMs: whole(100, 600_000).default(30_000),
  /** Longest a shutdown waits for requests under way, milliseconds. */
  shutdownTimeoutMs: whole(0, 600_000).default(10_000),
})

/** All processors but one, which answers requests. */
const defaultThreads = () => Math.max(1, Math.min(4, availableParallelism() - 1))

const computeSchema = z.strictObject({
  /** Threads for presigning. */
  threads: whole(1, 64).default(defaultThreads),
  /**
   * Tasks that may wait for a thread: as many that somebody waits for, and as many refills. By default
   * as many as there are runs at most, so that no account's runs leave others without a place.
   */
  queue: whole(1, 10_000).default(128),
})

const poolSchema = z.strictObject({
  /** Longest a presignature waits to be used. */
  maxAgeHours: whole(1, 168).default(24),
})

const metricsSchema = z.strictObject({
  /** Of this machine only: metrics are served without TLS and to whoever asks. */
  host: z.enum(["127.0.0.1", "::1"]).default("127.0.0.1"),
  port: whole(0, 65_535),
})

const logSchema = z.strictObject({
  level: z.enum(["fatal", "error", "warn", "info", "debug", "silent"]).default("info"),
})

const configSchema = z.strictObject({
  version: z.literal(1),
  listen: listenSchema,
  tls: tlsSchema,
  seal: sealSchema.default({ kind: "passphrase" }),
  store: storeSchema.default({ kind: "sqlite" }),
  allowedOrigins: z.array(origin).max(64).default([]),
  limits: limitsSchema.prefault({}),
  compute: computeSchema.prefault({}),
  pool: poolSchema.prefault({}),
  log: logSchema.prefault({}),
  /** Served only when given. */
  metrics: metricsSchema.nullable().default(null),
})

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** How one key server runs. Everything that is secret or agreed with others is elsewhere. */
export type ServerConfig = DeepReadonly<z.output<typeof configSchema>>

const EXAMPLE =
  '{"version":1,"listen":{"port":7443},"tls":{"certificate":"tls.crt","key":"tls.key"}}'

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}

function refuse(field: string, message: string, remedy: string): never {
  throw new LockKeeperError("misconfigured", message, { field, remedy })
}

function refuseIssue(issue: z.core.$ZodIssue, input: unknown): never {
  if (issue.code === "unrecognized_keys") {
    const field = [...issue.path, issue.keys[0]].join(".")
    return refuse(field, `"${field}" is not a setting.`, "Correct its spelling or remove it.")
  }
  const field = issue.path.join(".")
  const found = issue.path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  )
  if (found === undefined) {
    return refuse(field, `The setting "${field}" is missing.`, `Add it; the least is ${EXAMPLE}.`)
  }
  return refuse(field, `The setting "${field}" is wrong.`, `Correct it: ${issue.message}.`)
}

/**
 * A configuration from parsed JSON, complete and frozen. An unknown key is an error.
 *
 * @throws LockKeeperError `misconfigured` naming the field and the remedy.
 */
export function parseConfig(input: unknown): ServerConfig {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return refuse("config", "The configuration is not a JSON object.", `The least is ${EXAMPLE}.`)
  }
  const parsed = configSchema.safeParse(input)
  if (!parsed.success) return refuseIssue(parsed.error.issues[0] as z.core.$ZodIssue, input)
  const config = parsed.data
  if (config.limits.requestBurst < config.limits.requestsPerSecond) {
    return refuse(
      "limits.requestBurst",
      "The burst is below the rate, so the rate could never be reached.",
      "Set it to at least limits.requestsPerSecond.",
    )
  }
  if (new Set(config.allowedOrigins).size < config.allowedOrigins.length) {
    return refuse("allowedOrigins", "An origin is listed twice.", "List each origin once.")
  }
  return freeze(config)
}
