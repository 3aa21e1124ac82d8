import type { Bytes } from "@lockkeeper/encoding"
import type { Frontier } from "./frontier.ts"
import { EMPTY_ROOT, hashNode, heightOf, isComplete, splitPoint } from "./tree-hash.ts"

/** The root of the complete subtree of height `height` at place `index` of that height. */
export type NodeReader = (height: number, index: number) => Bytes

/** MTH(D[begin:end]), where `begin` is a multiple of the smallest power of two that spans it. */
function subtreeHash(nodes: NodeReader, begin: number, end: number): Bytes {
  const size = end - begin
  if (size === 1) return nodes(0, begin)
  if (isComplete(size)) return nodes(heightOf(size), begin / size)
  const split = splitPoint(size)
  return hashNode(subtreeHash(nodes, begin, begin + split), subtreeHash(nodes, begin + split, end))
}

/** The root of the tree of the first `treeSize` leaves. */
export function rootFrom(nodes: NodeReader, treeSize: number): Bytes {
  return treeSize === 0 ? EMPTY_ROOT : subtreeHash(nodes, 0, treeSize)
}

/** The frontier of the tree of the first `treeSize` leaves, to append to it. */
export function frontierFrom(nodes: NodeReader, treeSize: number): Frontier {
  const peaks: Bytes[] = []
  let begin = 0
  while (begin < treeSize) {
    const left = treeSize - begin
    const size = isComplete(left) ? left : splitPoint(left)
    peaks.push(subtreeHash(nodes, begin, begin + size))
    begin += size
  }
  return { treeSize, peaks }
}

/**
 * PATH(m, D[n]) of RFC 6962 Section 2.1.1, from the leaf's sibling up.
 *
 * @throws RangeError when the tree has no such leaf.
 */
export function proveInclusion(nodes: NodeReader, index: number, treeSize: number): Bytes[] {
  if (index < 0 || index >= treeSize) throw new RangeError("the tree has no such leaf")
  const path: Bytes[] = []
  let [begin, end] = [0, treeSize]
  while (end - begin > 1) {
    const middle = begin + splitPoint(end - begin)
    if (index < middle) {
      path.push(subtreeHash(nodes, middle, end))
      end = middle
    } else {
      path.push(subtreeHash(nodes, begin, middle))
      begin = middle
    }
  }
  return path.reverse()
}

/**
 * PROOF(m, D[n]) of RFC 6962 Section 2.1.2; empty from size 0 and between equal sizes.
 *
 * @throws RangeError when the tree was never that small.
 */
export function proveConsistency(nodes: NodeReader, oldSize: number, treeSize: number): Bytes[] {
  if (oldSize < 0 || oldSize > treeSize) throw new RangeError("the tree was never of that size")
  if (oldSize === 0) return []
  const path: Bytes[] = []
  let [begin, end] = [0, treeSize]
  while (end !== oldSize) {
    const middle = begin + splitPoint(end - begin)
    if (oldSize <= middle) {
      path.push(subtreeHash(nodes, middle, end))
      end = middle
    } else {
      path.push(subtreeHash(nodes, begin, middle))
      begin = middle
    }
  }
  // Who verifies knows the old root itself, but not a part of the old tree.
  if (begin > 0) path.push(subtreeHash(nodes, begin, end))
  return path.reverse()
}
