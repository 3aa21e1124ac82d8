import { hashValue } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, fixedBytes, safeInteger, struct } from "@lockkeeper/encoding"
import type { LogHead } from "./merkle/verify.ts"

/** A leaf with its place, as an auditor receives it. */
export interface LogLeaf {
  readonly index: number
  /** 32 bytes, `commitToLogBody` of the entry's body. */
  readonly commitment: Bytes
}

/** The head of a chain before its first entry. */
export const EMPTY_HEAD: LogHead = { treeSize: 0, rootHash: new Uint8Array(32) }

const link = struct<{ previous: Bytes; index: number; commitment: Bytes }>({
  previous: fixedBytes(32),
  index: safeInteger,
  commitment: fixedBytes(32),
})

/**
 * The head after one more leaf: rootHash' = H(rootHash, index, commitment), a hash chain. It orders
 * and fixes all entries but proves single ones only by showing all that follow.
 */
export function appendLeaf(head: LogHead, commitment: Bytes): LogHead {
  const { treeSize: index, rootHash: previous } = head
  return {
    treeSize: index + 1,
    rootHash: hashValue("log/chain", link, { previous, index, commitment }),
  }
}

export type LeavesVerdict =
  | { readonly valid: true }
  | { readonly valid: false; readonly index: number; readonly reason: LeavesReason }

/** Why leaves do not lead from one head to the other. */
export type LeavesReason =
  | "index-mismatch"
  | "commitment-length"
  | "size-mismatch"
  | "root-mismatch"

/**
 * Whether `leaves` lead from `from` to `to`. A chain stores no root between its heads, so a changed
 * commitment shows at `to`; give the heads that were stored on the way as `roots` to find the first
 * bad place.
 */
export function verifyLeaves(
  from: LogHead,
  leaves: readonly LogLeaf[],
  to: LogHead,
  roots: ReadonlyMap<number, Bytes> = new Map(),
): LeavesVerdict {
  const bad = (index: number, reason: LeavesReason): LeavesVerdict => ({
    valid: false,
    index,
    reason,
  })
  let head = from
  for (const { index, commitment } of leaves) {
    const expected = head.treeSize
    if (index !== expected) return bad(expected, "index-mismatch")
    if (commitment.length !== 32) return bad(index, "commitment-length")
    head = appendLeaf(head, commitment)
    const stored = roots.get(head.treeSize)
    if (stored !== undefined && !equalBytes(stored, head.rootHash)) {
      return bad(index, "root-mismatch")
    }
  }
  if (head.treeSize !== to.treeSize) {
    return bad(Math.min(head.treeSize, to.treeSize), "size-mismatch")
  }
  if (!equalBytes(head.rootHash, to.rootHash)) {
    return bad(Math.max(0, head.treeSize - 1), "root-mismatch")
  }
  return { valid: true }
}
