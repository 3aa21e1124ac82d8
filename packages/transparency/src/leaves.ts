import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { type Frontier, grow, rootOf } from "./merkle/frontier.ts"
import { hashLeaf } from "./merkle/tree-hash.ts"
import type { LogHead } from "./merkle/verify.ts"

/** A leaf with its place, as an auditor receives it. */
export interface LogLeaf {
  readonly index: number
  /** 32 bytes, `commitToLogBody` of the entry's body. */
  readonly commitment: Bytes
}

export type LeavesVerdict =
  | { readonly valid: true }
  | { readonly valid: false; readonly index: number; readonly reason: LeavesReason }

/** Why leaves do not lead from one tree to the other. */
export type LeavesReason =
  | "index-mismatch"
  | "commitment-length"
  | "size-mismatch"
  | "root-mismatch"

/**
 * Whether `leaves` lead from the tree of `from` to the head `to`. A changed commitment shows at `to`;
 * give the roots of sizes on the way as `roots` to find the first bad place.
 */
export function verifyLeaves(
  from: Frontier,
  leaves: readonly LogLeaf[],
  to: LogHead,
  roots: ReadonlyMap<number, Bytes> = new Map(),
): LeavesVerdict {
  const bad = (index: number, reason: LeavesReason): LeavesVerdict => ({
    valid: false,
    index,
    reason,
  })
  let frontier = from
  for (const { index, commitment } of leaves) {
    const expected = frontier.treeSize
    if (index !== expected) return bad(expected, "index-mismatch")
    if (commitment.length !== 32) return bad(index, "commitment-length")
    frontier = grow(frontier, hashLeaf(commitment)).frontier
    const stored = roots.get(frontier.treeSize)
    if (stored !== undefined && !equalBytes(stored, rootOf(frontier))) {
      return bad(index, "root-mismatch")
    }
  }
  if (frontier.treeSize !== to.treeSize) {
    return bad(Math.min(frontier.treeSize, to.treeSize), "size-mismatch")
  }
  if (!equalBytes(rootOf(frontier), to.rootHash)) {
    return bad(Math.max(0, frontier.treeSize - 1), "root-mismatch")
  }
  return { valid: true }
}
