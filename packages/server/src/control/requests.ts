import { INCIDENT_SOURCES, INCIDENT_STATES, LockKeeperError, MAX_NOTE } from "@lockkeeper/api"
import { z } from "zod"

/** Longest line that an operator's program may send, bytes. */
export const MAX_CONTROL_REQUEST = 4_096

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

/** What an operator may ask of a running server: one request a connection. Closed, strict. */
const controlRequest = z.discriminatedUnion("command", [
  z.strictObject({ command: z.literal("incidents.list") }),
  z.strictObject({ command: z.literal("incidents.show"), number }),
  z.strictObject({ command: z.literal("incidents.clear"), number, note }),
  z.strictObject({ command: z.literal("operator.certify"), publicKey }),
])

export type ControlRequest = z.infer<typeof controlRequest>

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

const controlAnswer = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("refused"),
    code: z.enum(["invalid-request", "not-found", "conflict", "unavailable", "internal"]),
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
])

export type ControlAnswer = z.infer<typeof controlAnswer>

/** @throws LockKeeperError `invalid-request` naming the field. */
export function parseControlRequest(line: string): ControlRequest {
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
