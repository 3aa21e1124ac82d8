import { type Codec, nullable, oneOf, struct, text, u8, u16 } from "@lockkeeper/encoding"

/**
 * What can go wrong, as a person or a program tells them apart: closed, append only. `retry` says
 * whether the same request may succeed unchanged; `status` is the gRPC code of a refusal that
 * happens before a session can carry it.
 */
const ERROR_TABLE = {
  "invalid-request": { retry: "never", status: "invalid_argument" },
  "too-large": { retry: "never", status: "resource_exhausted" },
  unauthenticated: { retry: "never", status: "unauthenticated" },
  "session-ended": { retry: "after-opening", status: "unauthenticated" },
  "wrong-password": { retry: "never", status: "unauthenticated" },
  locked: { retry: "later", status: "unauthenticated" },
  "permission-denied": { retry: "never", status: "permission_denied" },
  "not-found": { retry: "never", status: "not_found" },
  "already-exists": { retry: "never", status: "already_exists" },
  conflict: { retry: "now", status: "aborted" },
  expired: { retry: "never", status: "failed_precondition" },
  replayed: { retry: "never", status: "failed_precondition" },
  "out-of-order": { retry: "never", status: "failed_precondition" },
  "wrong-server": { retry: "never", status: "failed_precondition" },
  "wrong-roster": { retry: "never", status: "failed_precondition" },
  "clock-skew": { retry: "never", status: "failed_precondition" },
  "rate-limited": { retry: "later", status: "resource_exhausted" },
  unavailable: { retry: "later", status: "unavailable" },
  aborted: { retry: "now", status: "aborted" },
  "not-enough-servers": { retry: "later", status: "unavailable" },
  "untrusted-roster": { retry: "never", status: "failed_precondition" },
  "untrusted-server": { retry: "never", status: "failed_precondition" },
  misconfigured: { retry: "never", status: "failed_precondition" },
  cancelled: { retry: "never", status: "canceled" },
  internal: { retry: "later", status: "internal" },
  quarantined: { retry: "never", status: "failed_precondition" },
} as const satisfies Record<string, { retry: Retry; status: string }>

/** When the same request may succeed: not at all, at once, after a pause, in a new session. */
export type Retry = "never" | "now" | "later" | "after-opening"

export type ErrorCode = keyof typeof ERROR_TABLE

export const ERROR_CODES = Object.keys(ERROR_TABLE) as ErrorCode[]

/** The gRPC status name under which a refusal travels outside a session. */
export function errorStatus(code: ErrorCode): string {
  return ERROR_TABLE[code].status
}

/** A refusal as it crosses the wire: no stack, no value of the offending field. */
export interface ErrorBody {
  readonly code: ErrorCode
  /** What happened, in one sentence. */
  readonly message: string
  /** Path of the field at fault, or empty. */
  readonly field: string
  /** What to do about it, in one sentence, or empty. */
  readonly remedy: string
  /** The server that refuses; 0 when the client does. */
  readonly server: number
  readonly guessesRemaining: number | null
}

export const errorBody: Codec<ErrorBody> = struct<ErrorBody>({
  code: oneOf(...ERROR_CODES),
  message: text(512),
  field: text(128),
  remedy: text(512),
  server: u16,
  guessesRemaining: nullable(u8),
})

export interface ErrorDetails {
  readonly field?: string
  readonly remedy?: string
  readonly server?: number
  readonly guessesRemaining?: number
  readonly cause?: unknown
}

/** The one error class of Lock Keeper: what happened, to which field or server, what to do. */
export class LockKeeperError extends Error {
  override readonly name = "LockKeeperError"
  readonly code: ErrorCode
  readonly field: string
  readonly remedy: string
  readonly server: number
  readonly guessesRemaining: number | null

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.field = details.field ?? ""
    this.remedy = details.remedy ?? ""
    this.server = details.server ?? 0
    this.guessesRemaining = details.guessesRemaining ?? null
  }

  static fromBody(body: ErrorBody): LockKeeperError {
    const { code, message, field, remedy, server, guessesRemaining } = body
    const details = { field, remedy, server }
    return new LockKeeperError(
      code,
      message,
      guessesRemaining === null ? details : { ...details, guessesRemaining },
    )
  }

  get retry(): Retry {
    return ERROR_TABLE[this.code].retry
  }

  /** The wire form, with over-long texts cut so that encoding cannot fail. */
  toBody(server: number): ErrorBody {
    return {
      code: this.code,
      message: this.message.slice(0, 160),
      field: this.field.slice(0, 40),
      remedy: this.remedy.slice(0, 160),
      server,
      guessesRemaining: this.guessesRemaining,
    }
  }
}
