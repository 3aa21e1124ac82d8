import {
  INCIDENT_SOURCES,
  INCIDENT_STATES,
  LockKeeperError,
  MAX_NOTE,
  MAX_ROSTER,
} from "@lockkeeper/api"
import { type Bytes, fromBase64url } from "@lockkeeper/encoding"
import { z } from "zod"

/** Longest line that an operator's program may send, bytes, but for what has a roster in it. */
export const MAX_CONTROL_REQUEST = 4_096

/** Longest bundle of a roster: each member's sealed seed for each other one, and the chain. */
const MAX_BUNDLE = 2_097_152

const MAX_ROSTER_REQUEST = MAX_CONTROL_REQUEST + Math.ceil((MAX_BUNDLE * 4) / 3)

/** Longest line that begins like this, bytes: what is not about rosters is never read that far. */
export function maxControlRequest(begun: string): number {
  return begun.startsWith('{"command":"roster.') ? MAX_ROSTER_REQUEST : MAX_CONTROL_REQUEST
}

/** Longest line of an answer, bytes: a roster and a piece of evidence in hexadecimal, and the rest. */
export const MAX_CONTROL_ANSWER = 1_048_576

const number = z.int().min(1).max(0xffff_ffff)

const isShort = (text: string): boolean => Buffer.byteLength(text) <= MAX_NOTE

const note = z
  .string()
  .trim()
  .min(1)
  .refine(isShort, { error: `longer than ${MAX_NOTE} bytes` })
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), { error: "not plain text" })

/** Ed25519, in hexadecimal. */
const publicKey = z.string().regex(/^[0-9a-f]{64}$/, { error: "not 32 bytes in hexadecimal" })

/** Bytes in base64url. */
const bytesUpTo = (most: number) =>
  z.string().transform((text, context): Bytes => {
    try {
      const bytes = fromBase64url(text)
      if (bytes.length <= most) return bytes
    } catch {
      // Reported below like what is too long.
    }
    context.addIssue({ code: "custom", message: `not up to ${most} bytes of base64url` })
    return z.NEVER
  })

/** Whether the operator knows of shares what the server cannot see. */
const isForced = z.boolean().default(false)

/** What an operator may ask of a running server: one request a connection. Closed, strict. */
const controlRequest = z.discriminatedUnion("command", [
  z.strictObject({ command: z.literal("incidents.list") }),
  z.strictObject({ command: z.literal("incidents.show"), number }),
  z.strictObject({ command: z.literal("incidents.clear"), number, note }),
  z.strictObject({ command: z.literal("operator.certify"), publicKey }),
  /** To sign an encoded roster. */
  z.strictObject({ command: z.literal("roster.consent"), roster: bytesUpTo(MAX_ROSTER) }),
  /** To go on under the roster of an encoded RosterBundle. */
  z.strictObject({
    command: z.literal("roster.activate"),
    bundle: bytesUpTo(MAX_BUNDLE),
    ...{ isForced },
  }),
  /** To make a channel key for the next roster. */
  z.strictObject({ command: z.literal("roster.rotate-channel-key") }),
  /** To end the transition, with a bundle where the server has not kept what it takes. */
  z.strictObject({
    command: z.literal("roster.settle"),
    bundle: bytesUpTo(MAX_BUNDLE).nullable(),
    ...{ isForced },
  }),
])

export type ControlRequest = z.input<typeof controlRequest>

export type ParsedRequest = z.output<typeof controlRequest>

const incident = z.strictObject({
  number,
  servers: z.array(z.strictObject({ server: z.int(), name: z.string(), operator: z.string() })),
  reason: z.string(),
  recordedAt: z.int(),
  source: z.enum(INCIDENT_SOURCES),
  state: z.enum(INCIDENT_STATES),
  /** Numbers of the pairs that prove it together; empty where its own evidence does. */
  pairs: z.array(number),
  cleared: z.strictObject({ at: z.int(), note: z.string() }).nullable(),
})

/** An incident as its server's operator sees it. */
export type IncidentRecord = z.infer<typeof incident>

const hexadecimal = z.string().regex(/^([0-9a-f]{2})*$/)

/** Codes that an operator is told; anything else is `internal`. */
export const TOLD = [
  "invalid-request",
  "not-found",
  "conflict",
  "unavailable",
  "misconfigured",
  "untrusted-roster",
  "internal",
] as const

const controlAnswer = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("refused"),
    code: z.enum(TOLD),
    message: z.string(),
    field: z.string(),
    remedy: z.string(),
  }),
  z.strictObject({
    kind: z.literal("listed"),
    server: z.int(),
    quarantined: z.array(z.int()),
    incidents: z.array(incident),
  }),
  z.strictObject({
    kind: z.literal("shown"),
    incident,
    /** Encoded evidence, and the SignedRoster it is judged by. */
    evidence: hexadecimal,
    signedRoster: hexadecimal,
  }),
  z.strictObject({ kind: z.literal("cleared"), number, quarantined: z.array(z.int()) }),
  /** An encoded SignedCredential. */
  z.strictObject({ kind: z.literal("certified"), credential: hexadecimal }),
  /** An encoded RosterSignature. */
  z.strictObject({ kind: z.literal("consented"), signature: hexadecimal }),
  /** What is written in the server's directory: the channel key that waits, in base64url. */
  z.strictObject({ kind: z.literal("rotated"), channelKey: z.string() }),
  /** The encoded rosters that the server followed before, and follows now. */
  z.strictObject({ kind: z.literal("activated"), before: hexadecimal, roster: hexadecimal }),
])

export type ControlAnswer = z.infer<typeof controlAnswer>

/** @throws LockKeeperError `invalid-request` naming the field. */
export function parseControlRequest(line: string): ParsedRequest {
  const parsed = controlRequest.safeParse(jsonOf(line))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new LockKeeperError("invalid-request", `The request is wrong: ${issue?.message}.`, {
    field: issue?.path.join(".") || "request",
  })
}

/** @throws LockKeeperError `unavailable` when a server answers what this program does not know. */
export function parseControlAnswer(line: string): ControlAnswer {
  const parsed = controlAnswer.safeParse(jsonOf(line))
  if (parsed.success) return parsed.data
  throw new LockKeeperError("unavailable", "The server's answer is not understood.", {
    remedy: "Use the same version of the command and of the server.",
  })
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
