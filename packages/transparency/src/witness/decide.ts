import type { SigningKey } from "@lockkeeper/crypto"
import { DecodeError, equalBytes } from "@lockkeeper/encoding"
import {
  type Checkpoint,
  cosignCheckpoint,
  openCheckpoint,
  parseCheckpoint,
} from "../checkpoint.ts"
import type { Equivocation } from "../equivocation.ts"
import { EMPTY_HEAD, verifyConsistency } from "../merkle/verify.ts"
import { formatSignatureLine, parseNote } from "../notes/note.ts"
import type { NoteKey } from "../notes/note-key.ts"
import { type AddCheckpoint, parseAddCheckpoint } from "./add-checkpoint.ts"

/** What a witness knows and is. */
export interface WitnessView {
  /** Keys of the logs that it watches. */
  readonly logs: readonly NoteKey[]
  /** The last checkpoint that it cosigned of a log, by its origin; null before the first. */
  readonly latest: (origin: string) => string | null
  readonly identity: SigningKey
  /** Seconds since the Unix epoch. */
  readonly seconds: number
}

/** Why a checkpoint is not cosigned. */
export type WitnessRefusal =
  | "malformed"
  | "unknown-origin"
  | "not-signed-by-log"
  | "bad-signature"
  | "old-size-above-size"
  | "old-size-mismatch"
  | "not-consistent"

/** What is answered, in the words of tlog-witness. Nothing of `stored` has happened yet. */
export type WitnessAnswer =
  | {
      readonly status: 200
      /** Signature lines. MUST not leave before `stored` is durable. */
      readonly body: string
      /**
       * What becomes the latest checkpoint of its log, in one transaction with the check that it still
       * is the one that `latest` gave: else two requests at once roll the witness back.
       */
      readonly stored: { readonly origin: string; readonly checkpoint: string }
    }
  | {
      readonly status: 400 | 403 | 404 | 409 | 422
      readonly body: string
      readonly reason: WitnessRefusal
      /** Two checkpoints of one size that the log has signed, where this shows them. */
      readonly equivocation: Equivocation | null
    }

const STATUS = {
  malformed: 400,
  "unknown-origin": 404,
  "not-signed-by-log": 403,
  "bad-signature": 403,
  "old-size-above-size": 400,
  "old-size-mismatch": 409,
  "not-consistent": 422,
} as const satisfies Record<WitnessRefusal, number>

function refuse(
  reason: WitnessRefusal,
  { body = `${reason}\n`, equivocation = null as Equivocation | null } = {},
): WitnessAnswer {
  return { status: STATUS[reason], body, reason, equivocation }
}

/** The decision of tlog-witness' `add-checkpoint` about the body of one request. */
export function decideAddCheckpoint(body: string, view: WitnessView): WitnessAnswer {
  let request: AddCheckpoint
  let origin: string
  try {
    request = parseAddCheckpoint(body)
    origin = parseCheckpoint(parseNote(request.checkpoint).text).origin
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return refuse("malformed")
  }
  const logKey = view.logs.find(({ name }) => name === origin)
  if (logKey === undefined) return refuse("unknown-origin")
  const opened = openCheckpoint(request.checkpoint, logKey)
  if (!opened.valid) {
    return refuse(opened.reason === "other-origin" ? "unknown-origin" : opened.reason)
  }
  const { checkpoint, note } = opened
  if (request.oldSize > checkpoint.treeSize) return refuse("old-size-above-size")
  const kept = view.latest(origin)
  const known = kept === null ? EMPTY_HEAD : parseCheckpoint(parseNote(kept).text)
  const fork = kept !== null && isFork(known, checkpoint)
  const equivocation = fork ? { first: kept, second: request.checkpoint } : null
  if (request.oldSize !== known.treeSize) {
    return refuse("old-size-mismatch", { body: `${known.treeSize}\n`, equivocation })
  }
  if (verifyConsistency(known, checkpoint, request.proof) !== "consistent") {
    return refuse("not-consistent", { equivocation })
  }
  const cosignature = cosignCheckpoint(note, view.identity, view.seconds)
  return {
    status: 200,
    body: formatSignatureLine(cosignature),
    stored: { origin, checkpoint: request.checkpoint },
  }
}

function isFork(known: Pick<Checkpoint, "treeSize" | "rootHash">, checkpoint: Checkpoint): boolean {
  return known.treeSize === checkpoint.treeSize && !equalBytes(known.rootHash, checkpoint.rootHash)
}
