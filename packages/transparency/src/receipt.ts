import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  DecodeError,
  fixedBytes,
  list,
  safeInteger,
  struct,
  text,
  utf8,
} from "@lockkeeper/encoding"
import { type CheckpointFault, openCheckpoint } from "./checkpoint.ts"
import { commitToLogBody, decodeLogBody, type LogBody, MAX_LOG_BODY } from "./entry.ts"
import { hashLeaf } from "./merkle/tree-hash.ts"
import { type InclusionVerdict, MAX_PROOF, verifyInclusion } from "./merkle/verify.ts"
import { MAX_NOTE } from "./notes/note.ts"
import type { NoteKey } from "./notes/note-key.ts"

/** Most servers of a roster, and so positions of a receipt. */
const MAX_POSITIONS = 255

/** One server's log entry, opened, and the proof that the log has it. */
export interface LoggedPosition {
  readonly server: Identifier
  readonly index: number
  /** The entry's body: whoever holds it can read the event and nothing else of the log. */
  readonly body: Bytes
  readonly proof: readonly Bytes[]
  /** A checkpoint that covers the entry, with its cosignatures. */
  readonly checkpoint: string
}

/** Shows offline that t servers logged one use of a key. */
export interface Receipt {
  readonly positions: readonly LoggedPosition[]
}

const positionCodec: Codec<LoggedPosition> = struct<LoggedPosition>({
  server: identifierCodec,
  index: safeInteger,
  body: bytes(MAX_LOG_BODY),
  proof: list(fixedBytes(32), MAX_PROOF),
  checkpoint: text(MAX_NOTE),
})

export const receiptCodec: Codec<Receipt & { readonly label: null }> = struct<
  Receipt & { readonly label: null }
>({
  label: constant(utf8("lockkeeper/receipt/v1")),
  positions: list(positionCodec, MAX_POSITIONS),
})

/** What whoever verifies a receipt knows from elsewhere: a roster says all of it. */
export interface ReceiptTrust {
  readonly logs: ReadonlyMap<Identifier, NoteKey>
  readonly witnesses: readonly NoteKey[]
  /** Logs that have to have the use: the key's threshold. */
  readonly minSigners: number
  /** Other servers that have to have seen each of these logs. */
  readonly minCosignatures: number
}

export type ReceiptFault =
  | CheckpointFault
  | Exclude<InclusionVerdict, "included">
  | "unknown-log"
  | "same-log-twice"
  | "body"
  | "too-few-cosignatures"

export type ReceiptVerdict =
  | { readonly valid: true; readonly entries: ReadonlyMap<Identifier, LogBody> }
  | { readonly valid: false; readonly reason: "too-few-logs"; readonly server: null }
  | { readonly valid: false; readonly reason: ReceiptFault; readonly server: Identifier }

/**
 * Whether the logs have what the receipt says. That the events are of one use, and of which one, is
 * for the caller to see: it knows what events are.
 */
export function verifyReceipt({ positions }: Receipt, trust: ReceiptTrust): ReceiptVerdict {
  const entries = new Map<Identifier, LogBody>()
  for (const position of positions) {
    const { server } = position
    if (entries.has(server)) return { valid: false, reason: "same-log-twice", server }
    const body = openPosition(position, trust)
    if (typeof body === "string") return { valid: false, reason: body, server }
    entries.set(server, body)
  }
  if (entries.size < trust.minSigners) return { valid: false, reason: "too-few-logs", server: null }
  return { valid: true, entries }
}

function openPosition(
  { server, index, body, proof, checkpoint }: LoggedPosition,
  { logs, witnesses, minCosignatures }: ReceiptTrust,
): LogBody | ReceiptFault {
  const logKey = logs.get(server)
  if (logKey === undefined) return "unknown-log"
  const opened = openCheckpoint(checkpoint, logKey, witnesses)
  if (!opened.valid) return opened.reason
  const leafHash = hashLeaf(commitToLogBody(body))
  const verdict = verifyInclusion(leafHash, index, opened.checkpoint, proof)
  if (verdict !== "included") return verdict
  if (opened.cosignatures.length < minCosignatures) return "too-few-cosignatures"
  try {
    return decodeLogBody(body)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return "body"
  }
}
