import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import { EMPTY_ROOT, HASH_LENGTH, hashNode, isComplete } from "./tree-hash.ts"

/** How far a log has grown: what a checkpoint states and a witness remembers. */
export interface LogHead {
  readonly treeSize: number
  /** 32 bytes. */
  readonly rootHash: Bytes
}

/** The head before the first entry. */
export const EMPTY_HEAD: LogHead = { treeSize: 0, rootHash: EMPTY_ROOT }

/** Longest proof: a tree has at most 2^63 leaves. */
export const MAX_PROOF = 63

/** What comes of a proof; all but the first are refusals. */
export type InclusionVerdict = "included" | "no-such-leaf" | "proof-length" | "root-mismatch"

/** Whether `proof` leads from the leaf to the head's root (RFC 9162 Section 2.1.3.2). */
export function verifyInclusion(
  leafHash: Bytes,
  index: number,
  { treeSize, rootHash }: LogHead,
  proof: readonly Bytes[],
): InclusionVerdict {
  if (!isSize(index) || !isSize(treeSize) || index >= treeSize) return "no-such-leaf"
  if (!isProof(proof)) return "proof-length"
  let [fn, sn] = [index, treeSize - 1]
  let root = leafHash
  for (const hash of proof) {
    if (sn === 0) return "proof-length"
    if (fn % 2 === 1 || fn === sn) {
      root = hashNode(hash, root)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else {
      root = hashNode(root, hash)
    }
    ;[fn, sn] = [half(fn), half(sn)]
  }
  if (sn !== 0) return "proof-length"
  return equalBytes(root, rootHash) ? "included" : "root-mismatch"
}

export type ConsistencyVerdict =
  | "consistent"
  /** The later head has fewer leaves. */
  | "smaller"
  | "proof-length"
  /** The proof does not lead to the earlier root. */
  | "old-root-mismatch"
  /** It does not lead to the later one; of equal sizes, the roots differ. */
  | "root-mismatch"

/** Whether `proof` shows that `later` continues `earlier` (RFC 9162 Section 2.1.4.2). */
export function verifyConsistency(
  earlier: LogHead,
  later: LogHead,
  proof: readonly Bytes[],
): ConsistencyVerdict {
  const [first, second] = [earlier.treeSize, later.treeSize]
  if (!isSize(first) || !isSize(second) || second < first) return "smaller"
  if (!isProof(proof)) return "proof-length"
  if (first === 0 || first === second) {
    if (proof.length > 0) return "proof-length"
    if (first === 0 && !equalBytes(earlier.rootHash, EMPTY_ROOT)) return "old-root-mismatch"
    if (second === 0 && !equalBytes(later.rootHash, EMPTY_ROOT)) return "root-mismatch"
    if (first !== second || equalBytes(earlier.rootHash, later.rootHash)) return "consistent"
    return "root-mismatch"
  }
  // A complete old tree is a node of the new one, and its root is known.
  const path = isComplete(first) ? [earlier.rootHash, ...proof] : proof
  const [start, ...rest] = path
  if (start === undefined) return "proof-length"
  let [fn, sn] = [first - 1, second - 1]
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)]
  let [oldRoot, root] = [start, start]
  for (const hash of rest) {
    if (sn === 0) return "proof-length"
    if (fn % 2 === 1 || fn === sn) {
      oldRoot = hashNode(hash, oldRoot)
      root = hashNode(hash, root)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    } else {
      root = hashNode(root, hash)
    }
    ;[fn, sn] = [half(fn), half(sn)]
  }
  if (sn !== 0) return "proof-length"
  if (!equalBytes(oldRoot, earlier.rootHash)) return "old-root-mismatch"
  return equalBytes(root, later.rootHash) ? "consistent" : "root-mismatch"
}

function half(n: number): number {
  return Math.floor(n / 2)
}

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0
}

function isProof(proof: readonly Bytes[]): boolean {
  return proof.length <= MAX_PROOF && proof.every(({ length }) => length === HASH_LENGTH)
}
