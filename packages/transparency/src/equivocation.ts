import { type Codec, constant, equalBytes, struct, text, utf8 } from "@lockkeeper/encoding"
import { openCheckpoint } from "./checkpoint.ts"
import { MAX_NOTE } from "./notes/note.ts"
import type { NoteKey } from "./notes/note-key.ts"

/** Two checkpoints by one log that cannot both be true: it showed two histories. */
export interface Equivocation {
  readonly first: string
  readonly second: string
}

const label = utf8("lockkeeper/equivocation/v1")

export const equivocationCodec: Codec<Equivocation & { readonly label: null }> = struct<
  Equivocation & { readonly label: null }
>({
  label: constant(label),
  first: text(MAX_NOTE),
  second: text(MAX_NOTE),
})

export type EquivocationVerdict =
  | "proven"
  /** One of them is no checkpoint by this log. */
  | "not-by-this-log"
  /** Sizes differ: these two alone contradict nothing. */
  | "different-sizes"
  | "same-root"

/** Whether anybody who knows the log's key has to be convinced that the log forked. */
export function verifyEquivocation(
  { first, second }: Equivocation,
  logKey: NoteKey,
): EquivocationVerdict {
  const [a, b] = [openCheckpoint(first, logKey), openCheckpoint(second, logKey)]
  if (!a.valid || !b.valid) return "not-by-this-log"
  if (a.checkpoint.treeSize !== b.checkpoint.treeSize) return "different-sizes"
  return equalBytes(a.checkpoint.rootHash, b.checkpoint.rootHash) ? "same-root" : "proven"
}
