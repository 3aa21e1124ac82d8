import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { MAX_PROOF } from "../merkle/verify.ts"
import { hashFromBase64, sizeFromDecimal, toBase64 } from "../notes/base64.ts"
import { MAX_NOTE, parseNote } from "../notes/note.ts"

/** What a witness is asked with: the body of tlog-witness' `add-checkpoint`. */
export interface AddCheckpoint {
  /** Size of the last checkpoint that the witness cosigned, as the asker knows. */
  readonly oldSize: number
  /** From there to the checkpoint. */
  readonly proof: readonly Bytes[]
  /** The checkpoint with the log's signature. */
  readonly checkpoint: string
}

/** Longest body, characters: 44 for each hash of the proof. */
const MAX_BODY = MAX_NOTE + 45 * (MAX_PROOF + 2)

export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  const lines = proof.map((hash) => `${toBase64(hash)}\n`)
  return `old ${oldSize}\n${lines.join("")}\n${checkpoint}`
}

/** Reads a body and judges nothing of it. @throws DecodeError */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  if (body.length > MAX_BODY) throw new DecodeError(`longer than ${MAX_BODY} characters`, MAX_BODY)
  const blank = body.indexOf("\n\n")
  if (blank < 0) throw new DecodeError("no blank line before the checkpoint", body.length)
  const [old = "", ...hashes] = body.slice(0, blank).split("\n")
  if (!old.startsWith("old ")) throw new DecodeError("no old size", 0)
  const oldSize = sizeFromDecimal(old.slice(4))
  if (hashes.length > MAX_PROOF) {
    throw new DecodeError(`more than ${MAX_PROOF} hashes`, 0, "proof")
  }
  const checkpoint = body.slice(blank + 2)
  parseNote(checkpoint)
  return { oldSize, proof: hashes.map(hashFromBase64), checkpoint }
}
